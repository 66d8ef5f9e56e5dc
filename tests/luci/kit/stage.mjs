// A household to look at: recorded replies, so that a picture of the pages is the same every day.

const now = () => Math.floor(Date.now() / 1000);

const DEVICES = [
	[ 'b8:27:eb:3a:11:07', 'garage-camera', 'Raspberry Pi Foundation', 'enforce' ],
	[ 'f0:27:2d:91:5c:20', 'fire-tv', 'Amazon Technologies', 'default' ],
	[ '00:17:88:4f:0e:aa', 'hue-bridge', 'Philips Lighting', 'default' ],
	[ 'da:a1:19:7c:33:e4', 'anna-phone', null, 'learn' ],
	[ '3c:22:fb:0d:6a:5e', 'macbook', 'Apple', 'trust' ],
	[ '00:11:32:c8:71:9b', 'nas', 'Synology', 'default' ],
	[ '18:b4:30:55:02:d1', 'thermostat', 'Nest Labs', 'default' ],
	[ '50:c7:bf:12:34:56', null, 'TP-Link', 'block' ]
];

const SERVICES = [
	[ 'tcp', 443, 'https' ], [ 'udp', 443, 'https' ], [ 'udp', 123, 'ntp' ], [ 'tcp', 80, 'http' ], [ 'tcp', 8883, 'secure-mqtt' ],
	[ 'tcp', 25, 'smtp' ], [ 'udp', 53, 'domain' ], [ 'tcp', 23, 'telnet' ], [ 'tcp', 5223, null ], [ 'icmp', 8, null ], [ 'tcp', 22, 'ssh' ], [ 'udp', 3478, 'stun' ]
];

const NAMES = [
	[ 'vendor-cloud.example', 'sni', 100 ], [ 'time.example.org', 'dns', 80 ], [ 'api.weather.example', 'dns', 80 ],
	[ 'static-203-0-113-7.example.net', 'reverse', 20 ], [ 'updates.example.com', 'sni', 100 ]
];

/* Numbers that look random and are the same every time. */
function* numbers(seed) {
	for (let n = seed;;)
		yield (n = (n * 1103515245 + 12345) % 2147483648) / 2147483648;
}

export function flows() {
	const random = numbers(7);
	const next = () => random.next().value;
	const all = [];

	for (const [ d, [ mac, device, vendor ] ] of DEVICES.entries())
		for (const [ s, [ proto, port, service ] ] of SERVICES.entries()) {
			if (next() < .35)
				continue;
			const pending = (d < 4 || d == 7) && s >= 4 && next() < .4;
			const state = pending ? 'pending' : next() < .15 ? 'denied' : 'allowed';
			const last = Math.floor(next() * next() * 80000);
			const names = proto !== 'icmp' && next() < .6 ? [ NAMES[Math.floor(next() * NAMES.length)] ] : [];
			all.push({
				id: all.length + 1, mac, device, vendor, proto, port, service, destination: 'any', state,
				origin: state === 'allowed' && next() < .7 ? 'learned' : state === 'pending' ? 'learned' : 'user', zone: 'lan',
				first_seen: now() - last - Math.floor(next() * (pending ? 3000 : 900000)), last_seen: now() - last,
				decided: state !== 'pending' && next() < .8 ? now() - last - 4000 : null,
				connections: 1 + Math.floor(next() * next() * (pending ? 40 : 4000)), packets: null, bytes: null, app: null,
				names: names.map(([ name, source, confidence ]) => ({ name, source, confidence }))
			});
		}

	return all;
}

const status = (all) => ({
	version: '0.1.0', uptime: 273840, time: now(), enabled: true, learning: false, learning_left: null, mode: 'log', placement: 'guard',
	fail_mode: 'open', interfaces: [ 'br-lan', 'br-guest' ], devices: DEVICES.length, dropped_last_hour: 37, ruleset: true, clock_set: true,
	flows: Object.fromEntries([ 'allowed', 'pending', 'denied' ].map((s) => [ s, all.filter((f) => f.state === s).length ])),
	database: { path: '/etc/glacic/flows.db', trouble: null, moved_aside: null },
	warnings: [ { code: 'offload', message: 'software flow offload is on (option flow_offloading of the firewall): connections leave the firewall after their first packets. Decisions hold, and a denial still ends what runs; names of destinations and counts of what is used suffer; to see everything: uci set firewall.@defaults[0].flow_offloading=0; uci commit firewall; service firewall reload' } ]
});

function activity() {
	const random = numbers(3);
	const step = 900;
	const last = Math.floor(now() / step) * step;

	return {
		step, since: last - 95 * step,
		slots: Array.from({ length: 96 }, (_, i) => {
			const day = Math.sin((i / 96) * Math.PI * 2 - 1) + 1;
			return { at: last - (95 - i) * step, new_flows: Math.floor(random.next().value * 4 * day), dropped: Math.floor(random.next().value ** 3 * 60 * day) };
		}),
		devices: DEVICES.slice(0, 6).map(([ mac, device ], i) => ({ mac, device, connections: Math.floor(2100 / (i + 1)), dropped: [ 90, 3, 0, 12, 0, 1 ][i] })),
		services: SERVICES.slice(0, 6).map(([ proto, port, service ], i) => ({ proto, port, service, connections: Math.floor(3200 / (i + 1) ** 1.5), dropped: [ 2, 0, 0, 5, 31, 70 ][i] }))
	};
}

function events(all) {
	const [ flow, other ] = all.filter((f) => f.state === 'pending');

	return [
		{ event: 'config_reloaded' }, { event: 'learning_changed', learning: false }, { event: 'device_new', mac: DEVICES[7][0], zone: 'lan' },
		{ event: 'alert', kind: 'port_scan', mac: DEVICES[0][0], message: 'garage-camera tried 64 ports within a minute' },
		{ event: 'flow_new', flow: other }, { event: 'flow_changed', flow: all.find((f) => f.state === 'denied') }, { event: 'flow_new', flow }
	].map((e, i) => ({ seq: i + 1, time: now() - (7 - i) * 640, ...e }));
}

/* Lets a router answer with this household instead of the daemon's. */
export function stage(router, all = flows()) {
	const matches = (f, filter = {}) => (!filter.state || f.state === filter.state) && (!filter.device || f.mac === filter.device) &&
		(!filter.origin || f.origin === filter.origin) && (!filter.search || JSON.stringify([ f.device, f.mac, f.proto, f.port ]).includes(filter.search));

	router.replies.set('status', () => status(all));
	router.replies.set('flow_list', ({ filter, sort = 'id', descending, offset = 0, limit = 100 }) => {
		const found = all.filter((f) => matches(f, filter));
		const key = (f) => sort === 'service' ? f.proto + f.port : sort === 'device' ? f.device ?? f.mac : f[sort];
		found.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.id - b.id) * (descending ? -1 : 1));

		return { flows: found.slice(offset, offset + limit), total: found.length };
	});
	router.replies.set('flow_get', ({ id }) => all.find((f) => f.id === id));
	for (const [ method, state ] of [ [ 'flow_allow', 'allowed' ], [ 'flow_deny', 'denied' ] ])
		router.replies.set(method, ({ ids }) => {
			all.filter((f) => ids.includes(f.id)).forEach((f) => { f.state = state });

			return { matched: ids.length, changed: [], changed_total: ids.length };
		});
	router.replies.set('device_list', () => ({
		devices: DEVICES.map(([ mac, name, vendor, mode ], i) => ({
			mac, name, vendor, mode, randomised: (parseInt(mac.slice(0, 2), 16) & 2) === 2, zone: 'lan', first_seen: now() - 900000 * (i + 1), last_seen: now() - 37 * i * i,
			...Object.fromEntries([ 'allowed', 'pending', 'denied' ].map((s) => [ s, all.filter((f) => f.mac === mac && f.state === s).length ]))
		})), total: DEVICES.length
	}));
	router.replies.set('activity', activity);
	router.replies.set('event_list', ({ after = 0 }) => ({ events: events(all).filter((e) => e.seq > after), last: 7 }));
}

/* The first minute of a router: nothing was seen yet. */
export function vacant(router) {
	stage(router, []);
	router.replies.set('status', () => ({ ...status([]), devices: 0, learning: true, learning_left: 604800, dropped_last_hour: 0, warnings: [], uptime: 40 }));
	router.replies.set('device_list', () => ({ devices: [], total: 0 }));
	router.replies.set('activity', () => ({ step: 900, slots: [], devices: [], services: [], since: now() }));
	router.replies.set('event_list', () => ({ events: [], last: 0 }));
}

/* The daemon is down. */
export function silent(router) {
	const error = { code: 'unavailable', status: 10, message: 'the daemon is not running (no socket at /var/run/glacic/control.sock): start it with `service glacic start`' };

	for (const method of [ 'status', 'flow_list', 'device_list', 'activity', 'event_list' ])
		router.replies.set(method, () => ({ error }));
}
