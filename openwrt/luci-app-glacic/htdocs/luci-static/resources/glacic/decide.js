'use strict';
'require baseclass';
'require glacic.rpc as glacic';
'require glacic.format as fmt';
'require glacic.page as page';

/* Allowing, denying and forgetting: the call, and what is said about it. */

const DONE = {
	allow: (n) => N_(n, 'Allowed %d flow.', 'Allowed %d flows.').format(n),
	deny: (n) => N_(n, 'Denied %d flow.', 'Denied %d flows.').format(n),
	forget: (n) => N_(n, 'Forgot %d flow.', 'Forgot %d flows.').format(n)
};

const DONE_TO_ONE = {
	allow: () => _('Allowed:'),
	deny: () => _('Denied:'),
	forget: () => _('Forgotten:')
};

return baseclass.extend({
	/* Says what became of `n` flows, or of the one that is given. */
	done(word, n, flow) {
		if (flow)
			page.say([ DONE_TO_ONE[word](), ' ', fmt.serviceText(flow), ' · ', fmt.device(flow.mac, flow.device) ]);
		else
			page.say([ DONE[word](n) ]);
	},

	failed(e) {
		page.say([ '' + (e.message || e) ], true);
	},

	/* Decides about flows, says so, and lets `refresh` show it; resolves to whether it was done. */
	flows(word, flows, refresh) {
		const one = (flows.length == 1) ? flows[0] : null;

		return glacic.decideIds(word, flows.map((f) => f.id)).then((n) => {
			if (one && n == 0)
				throw new Error(_('This flow is no longer there.'));
			this.done(word, n, one);

			return true;
		}).catch((e) => {
			this.failed(e);

			return false;
		}).then((is) => refresh().then(() => is));
	},

	filter(word, filter, refresh) {
		return glacic.decideFilter(word, filter).then((n) => {
			this.done(word, n);

			return true;
		}).catch((e) => {
			this.failed(e);

			return false;
		}).then((is) => refresh().then(() => is));
	}
});
