'use strict';
'require baseclass';

/*
 * Words and small pieces of page for what glacic says. What comes from the network (names of devices and of
 * destinations) goes through name(): a text node in an element of its own writing direction, never markup. Children
 * are always given to E() as arrays, since it takes a bare string for HTML.
 */

/* Before this the clock of a router was not set (2026-01-01). */
const CLOCK_SET = 1767225600;

const MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/* Controls, zero-width spaces, marks, embeddings, overrides and isolates; not the joiners that scripts and emoji need. */
const ODD = /([\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff])/;

const STATES = {
	pending: { sign: '?', word: () => _('waiting') },
	allowed: { sign: '✓', word: () => _('allowed') },
	denied: { sign: '✕', word: () => _('denied') }
};

const ORIGINS = {
	learned: () => _('learned'),
	user: () => _('decided by you'),
	imported: () => _('imported'),
	baseline: () => _('allowed for everybody')
};

const MODES = {
	'default': () => _('like all'),
	learn: () => _('learn'),
	enforce: () => _('enforce'),
	trust: () => _('trust'),
	block: () => _('block')
};

const ICMP = { icmp: { 0: 'echo reply', 8: 'echo' }, icmpv6: { 128: 'echo', 129: 'echo reply' } };

return baseclass.extend({
	MINUTE, HOUR, DAY,

	/* How far the router's clock is ahead of this browser's, in seconds. */
	ahead: 0,

	/* Takes the time from a status, where the daemon tells it. */
	setClock(status) {
		if (status && status.time)
			this.ahead = status.time - Date.now() / 1000;
	},

	now() {
		return Math.round(Date.now() / 1000 + this.ahead);
	},

	/* A name that somebody on the network chose. Characters that turn or hide others are shown by their number. */
	name(text, cls) {
		const pieces = ('' + text).split(ODD).map((piece, i) => (i % 2) ? E('span', { 'class': 'glacic-odd' }, [
			'U+' + piece.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')
		]) : piece);

		return E('bdi', { 'class': 'glacic-name' + (cls ? ' ' + cls : '') }, pieces);
	},

	count(number) {
		return (number == null) ? '–' : Number(number).toLocaleString();
	},

	/* A span of seconds, with its two largest units. */
	span(seconds) {
		const s = Math.max(0, Math.round(seconds));
		const d = Math.floor(s / DAY), h = Math.floor(s / HOUR) % 24, m = Math.floor(s / MINUTE) % 60;

		if (d)
			return h ? _('%dd %dh').format(d, h) : _('%dd').format(d);
		if (h)
			return m ? _('%dh %dm').format(h, m) : _('%dh').format(h);
		if (m)
			return _('%dm').format(m);

		return _('%ds').format(s);
	},

	/* A moment as text: how long ago. */
	agoText(at) {
		if (!at)
			return '–';
		if (at < CLOCK_SET)
			return _('before the clock was set');

		const s = this.now() - at;

		return (s < 2) ? _('now') : _('%s ago').format(this.span(s));
	},

	dateText(at) {
		return (at && at >= CLOCK_SET) ? new Date(at * 1000).toLocaleString() : '';
	},

	/* The same as a piece of page; the date is its tooltip. */
	ago(at) {
		const known = at && at >= CLOCK_SET;

		return E('time', {
			'datetime': known ? new Date(at * 1000).toISOString() : null,
			'title': known ? this.dateText(at) : null
		}, [ this.agoText(at) ]);
	},

	stateWord(state) {
		return STATES[state] ? STATES[state].word() : state;
	},

	/* Sign and word: colours are never the only difference. */
	state(state) {
		return E('span', { 'class': 'glacic-state glacic-' + (STATES[state] ? state : 'other') }, [
			E('span', { 'class': 'glacic-sign', 'aria-hidden': 'true' }, [ STATES[state] ? STATES[state].sign : '·' ]),
			this.stateWord(state)
		]);
	},

	origin(origin) {
		return ORIGINS[origin] ? ORIGINS[origin]() : origin;
	},

	/* Where a state comes from; what waits was decided by nobody. */
	originNote(flow) {
		return E('span', { 'class': 'glacic-dim' }, [ (flow.state == 'pending') ? '' : this.origin(flow.origin) ]);
	},

	mode(mode) {
		return MODES[mode] ? MODES[mode]() : mode;
	},

	modes() {
		return Object.keys(MODES);
	},

	/* `tcp/443`; any port, or ICMP's type, in words. */
	serviceText(flow) {
		const proto = '' + flow.proto;

		if (flow.port == null)
			return _('%s, any port').format(proto);
		if (ICMP[proto])
			return '%s/%d'.format(proto, flow.port);
		if (flow.port === 0 && ![ 'tcp', 'udp', 'udplite', 'sctp', 'dccp' ].includes(proto))
			return proto;

		return '%s/%d'.format(proto, flow.port);
	},

	serviceName(flow) {
		return flow.service || (ICMP[flow.proto] || {})[flow.port] || null;
	},

	service(flow) {
		const known = this.serviceName(flow);

		return E('span', { 'class': 'glacic-service' }, [
			E('strong', {}, [ this.serviceText(flow) ]),
			known ? E('span', { 'class': 'glacic-dim' }, [ ' ', known ]) : ''
		]);
	},

	/* Names of a flow's destination, the surest first. */
	names(flow) {
		return (flow.names || []).slice().sort((a, b) => (b.confidence || 0) - (a.confidence || 0));
	},

	/* Where a flow goes: names where there are any, else its destination. */
	destination(flow, most) {
		const names = this.names(flow);
		const shown = names.slice(0, most || 3);
		const nodes = shown.map((n) => this.name(n.name));

		if (!names.length)
			return E('span', { 'class': 'glacic-dim' },
				[ (!flow.destination || flow.destination == 'any') ? _('anywhere') : this.name(flow.destination) ]);
		if (names.length > shown.length)
			nodes.push(E('span', { 'class': 'glacic-dim' }, [ _('and %d more').format(names.length - shown.length) ]));

		return E('span', { 'class': 'glacic-names' }, nodes);
	},

	source(source) {
		return { sni: _('TLS or QUIC hello'), dns: _('DNS answer'), reverse: _('reverse DNS') }[source] || source;
	},

	/* What a device is called, as text. */
	deviceText(mac, name) {
		return (name != null && name !== '') ? '' + name : '' + mac;
	},

	/* The first block of a device: name, or address where there is no name. */
	device(mac, name) {
		return this.name(this.deviceText(mac, name), 'glacic-device');
	},

	/* The second line of a device: address, vendor, whether the address was chosen at random. */
	deviceFacts(d) {
		const nodes = [];

		if (d.name)
			nodes.push(E('span', { 'class': 'glacic-mac' }, [ d.mac ]));
		if (d.vendor)
			nodes.push(this.name(d.vendor, 'glacic-vendor'));
		if (d.randomised)
			nodes.push(E('span', {
				'class': 'glacic-tag',
				'title': _('The device chose this address itself, and may choose another one tomorrow.')
			}, [ '⚂ ', _('randomised address') ]));

		return E('span', { 'class': 'glacic-facts' }, nodes);
	},

	/* Whether an address is a locally administered one. */
	isRandomised(mac) {
		return (parseInt(('' + mac).slice(0, 2), 16) & 2) == 2;
	}
});
