'use strict';
'require baseclass';
'require rpc';

/*
 * The methods of the ubus object `glacic` as functions, and what went wrong as one kind of error: `code` for
 * programs (with the `status` ubus would give, where it was told), `message` for people. A reply of the daemon with a
 * member `error` is an error like any other.
 */

function fault(code, message, status) {
	const e = new Error(message);
	e.code = code;
	e.status = status;
	return e;
}

/* What rpcd, uhttpd or the way to them said, in words for the owner. */
function understand(e) {
	const text = '' + (e ? e.message : '');

	if (/ubus code 6\b|error -32002\b/.test(text))
		return fault('denied', _('Your login may see this and not change it.'));
	if (/ubus code [34]\b|error -3260[01]\b|error -32000\b/.test(text))
		return fault('absent', _('The package glacic is not installed, or rpcd has not been restarted since.'));
	if (/ubus code 2\b/.test(text))
		return fault('invalid', _('glacic did not understand this page: its version is another one.'));
	if (/ubus code 7\b|timed out|HTTP error 504\b/i.test(text))
		return fault('timeout', _('The router did not answer in time.'));

	return fault('unreachable', text || _('The router does not answer.'));
}

function declare(method, params) {
	const call = rpc.declare({ object: 'glacic', method: method, params: params || [], expect: { '': {} }, reject: true });

	return (...args) => call(...args).then((reply) => {
		if (L.isObject(reply) && L.isObject(reply.error))
			throw fault(reply.error.code || 'internal', '' + (reply.error.message || reply.error.code), reply.error.status);

		return reply;
	}, (e) => { throw understand(e) });
}

const configuration = rpc.declare({ object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} }, reject: true });

const decide = {};
for (let word of [ 'allow', 'deny', 'forget' ])
	decide[word] = declare('flow_' + word, [ 'ids' ]);

/* A request to the daemon is a line of at most 65,536 bytes, so many numbers go in several. */
const IDS_AT_ONCE = 500;

return baseclass.extend({
	status: declare('status'),
	stats: declare('stats'),
	flowList: declare('flow_list', [ 'filter', 'sort', 'descending', 'offset', 'limit' ]),
	flowGet: declare('flow_get', [ 'id' ]),
	deviceList: declare('device_list', [ 'sort', 'descending', 'offset', 'limit' ]),
	deviceFind: declare('device_list', [ 'search', 'limit' ]),
	activity: declare('activity'),
	eventList: declare('event_list', [ 'after', 'limit' ]),
	settings: declare('settings'),
	check: declare('check', [ 'config' ]),
	deviceSet: declare('device_set', [ 'device', 'name', 'mode' ]),
	learningSet: declare('learning_set', [ 'on', 'for' ]),

	/* What the file of the configuration has that keeps the daemon from starting. */
	errors() {
		return this.check().then(({ problems }) => (problems || []).filter((p) => p.severity == 'error'));
	},

	/* Whether the configuration wants glacic to run, by the words OpenWrt has for yes; null where it does not say. */
	switchedOn() {
		return configuration('glacic').then((values) => {
			const main = Object.values(values).find((section) => section['.type'] == 'rule_learning');

			return main ? [ '1', 'yes', 'on', 'true', 'enabled' ].includes(main.enabled) : null;
		});
	},

	/* The mode in force of a device; null where it is not known. */
	deviceMode(mac) {
		return this.deviceFind(mac, 10).then(({ devices }) => ((devices || []).find((d) => d.mac == mac) || { mode: null }).mode);
	},

	/* Whether a new flow of a device is allowed on first use, by the device's mode and the status. */
	learns(mode, status) {
		return mode == 'learn' || (mode != 'enforce' && status.learning);
	},

	/* Allows, denies or forgets (`word`) flows by their numbers; gives how many are now as asked. */
	decideIds(word, ids) {
		let matched = 0;
		let turn = Promise.resolve();

		for (let i = 0; i < ids.length; i += IDS_AT_ONCE) {
			const some = ids.slice(i, i + IDS_AT_ONCE);
			turn = turn.then(() => decide[word](some)).then((reply) => { matched += reply.matched || 0 });
		}

		return turn.then(() => matched);
	},

	/* Every item of a list that comes in pages: `page(offset, limit)` gives one, `member` is where its items are. */
	all(page, member, progress) {
		const items = [];
		const next = () => page(items.length, 500).then((reply) => {
			const some = reply[member] || [];
			items.push(...some);
			if (progress)
				progress(items.length, reply.total);

			return (some.length && items.length < reply.total) ? next() : items;
		});

		return next();
	}
});
