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

/* What takes a decision back: the decision that stood before, or that there was none. */
const BACK = { allowed: 'allow', denied: 'deny', pending: 'forget' };

/* Devices that are asked for: each is a call. */
const ASKED = 8;

/* Whether flows that are forgotten wait again: of a device that learns they would be allowed at their next packet. */
function waitAgain(flows) {
	const macs = Array.from(new Set(flows.map((f) => f.mac)));

	if (macs.length > ASKED)
		return Promise.resolve(false);

	return Promise.all([ glacic.status(), Promise.all(macs.map((mac) => glacic.deviceMode(mac))) ]).then(([ status, modes ]) =>
		modes.every((mode) => mode != null && !glacic.learns(mode, status)), () => false);
}

return baseclass.extend({
	/* Says what became of `n` flows, or of the one that is given. */
	done(word, n, flow, undo) {
		if (flow)
			page.say([ DONE_TO_ONE[word](), ' ', fmt.serviceText(flow), ' · ', fmt.device(flow.mac, flow.device) ], { undo });
		else
			page.say([ DONE[word](n) ], { undo });
	},

	failed(e) {
		page.say([ '' + (e.message || e) ], { failed: true });
	},

	/* Carries out `change`, says what came of it, and lets `refresh` show it; resolves to whether it was done. */
	carry(change, refresh) {
		return change().then(() => true, (e) => {
			this.failed(e);

			return false;
		}).then((is) => refresh().then(() => is));
	},

	/* Decides about flows, which are given as they stood before. */
	flows(word, flows, refresh) {
		const one = (flows.length == 1) ? flows[0] : null;
		const waited = flows.filter((f) => f.state == 'pending');
		const back = (word == 'forget') ? Promise.resolve(false) : waited.length ? waitAgain(waited) : Promise.resolve(true);

		return this.carry(() => Promise.all([ glacic.decideIds(word, flows.map((f) => f.id)), back ]).then(([ n, can ]) => {
			if (one && n == 0)
				throw new Error(_('This flow is no longer there.'));
			this.done(word, n, one, can ? () => this.undo(flows, refresh) : null);
		}), refresh);
	},

	undo(flows, refresh) {
		const ways = new Map();
		for (let flow of flows)
			ways.set(BACK[flow.state], (ways.get(BACK[flow.state]) || []).concat(flow.id));

		return this.carry(() => Array.from(ways).reduce((turn, [ word, ids ]) =>
			turn.then(() => glacic.decideIds(word, ids)), Promise.resolve()).then(() =>
			page.say([ ways.has('forget') ? _('Taken back: it waits again once it is tried again.') : _('Taken back.') ])), refresh);
	}
});
