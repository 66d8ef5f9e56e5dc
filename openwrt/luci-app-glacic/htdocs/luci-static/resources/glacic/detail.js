'use strict';
'require baseclass';
'require uci';
'require glacic.rpc as glacic';
'require glacic.format as fmt';

/* All that is known of one flow. */

/* When a flow got its state, as far as the daemon's record of events reaches back. */
function decided(flow, events) {
	if (flow.decided)
		return fmt.ago(flow.decided);
	if (flow.state == 'pending')
		return E('span', {}, [ _('not yet') ]);

	const last = (events || []).filter((e) =>
		(e.event == 'flow_changed' || e.event == 'flow_new') && e.flow && e.flow.id == flow.id && e.flow.state == flow.state).pop();

	return last ? fmt.ago(last.time) : E('span', {}, [ (flow.origin == 'learned')
		? _('when it was first seen, while learning')
		: _('longer ago than the daemon keeps its events') ]);
}

function hints(flow) {
	const names = fmt.names(flow);

	if (!names.length)
		return E('span', { 'class': 'glacic-dim' }, [ _('No name of a destination is known.') ]);

	return E('ul', { 'class': 'glacic-hints' }, names.map((n) => E('li', {}, [
		fmt.name(n.name), ' ',
		E('span', { 'class': 'glacic-dim' }, [ _('%s, sure to %d %%').format(fmt.source(n.source), n.confidence) ])
	])));
}

/* Whether the owner has allowed a service for everybody. */
function forEverybody(flow) {
	const same = (a, b) => ('' + a).toLowerCase() == ('' + b).toLowerCase();

	return uci.sections('glacic', 'baseline').some((s) =>
		same(s.proto, flow.proto) && (s.port == null || same(s.port, 'any') || same(s.port, flow.port)));
}

/* Whether glacic lets a flow pass at this moment, and why: a state alone does not say so. */
function why(flow, status, mode) {
	const learns = glacic.learns(mode, status);

	if (!status.ruleset)
		return null;
	if (mode == 'block')
		return [ false, _('its device is blocked, whatever was decided.') ];
	if (mode == 'trust')
		return [ true, _('its device is trusted, whatever was decided.') ];
	if (flow.state == 'denied')
		return [ false, (flow.origin == 'user') ? _('you denied it.') : _('it is denied.') ];
	if (flow.state == 'allowed')
		return [ true, (flow.origin == 'user') ? _('you allowed it.') : (flow.origin == 'learned') ? _('it was learned.') : _('it is allowed.') ];
	if (forEverybody(flow))
		return [ true, _('the settings allow it for everybody.') ];
	if (learns && status.placement == 'fallback' && status.mode != 'queue')
		return [ false, _('nobody has decided, and behind the firewall only a decision opens anything.') ];

	return learns
		? [ true, _('nobody has decided, and what its device does is being learned.') ]
		: [ false, _('nobody has decided, and what its device does is not learned now.') ];
}

function now(reason) {
	if (!reason)
		return [ _('glacic has no rules in the kernel.') ];

	return [ E('span', { 'class': 'glacic-state ' + (reason[0] ? 'glacic-allowed' : 'glacic-denied') }, [
		E('span', { 'class': 'glacic-sign', 'aria-hidden': 'true' }, [ reason[0] ? '✓' : '✕' ]),
		reason[0] ? _('passes:') : _('does not pass:')
	]), ' ', reason[1] ];
}

return baseclass.extend({
	/* A list of terms; `flow` as flow_get gives it, `events` from event_list, `reason` as above. */
	render(flow, events, reason) {
		const rows = [
			[ _('Now'), now(reason) ],
			[ _('Device'), [ fmt.device(flow.mac, flow.device), ' ',
				fmt.deviceFacts({ mac: flow.mac, name: flow.device, vendor: flow.vendor, randomised: fmt.isRandomised(flow.mac) }) ] ],
			[ _('Service'), [ fmt.service(flow) ] ],
			[ _('Destination'), [ fmt.destination(flow) ] ],
			[ _('Names'), [ hints(flow) ] ],
			[ _('State'), [ fmt.state(flow.state), ' ', fmt.originNote(flow) ] ],
			[ _('Decided'), [ decided(flow, events) ] ],
			[ _('First seen'), [ fmt.ago(flow.first_seen), ' ', E('span', { 'class': 'glacic-dim' }, [ fmt.dateText(flow.first_seen) ]) ] ],
			[ _('Last seen'), [ fmt.ago(flow.last_seen), ' ', E('span', { 'class': 'glacic-dim' }, [ fmt.dateText(flow.last_seen) ]) ] ],
			[ _('Connections'), [ fmt.count(flow.connections) ] ]
		];

		if (flow.zone)
			rows.push([ _('Zone'), [ flow.zone ] ]);
		if (flow.bytes != null)
			rows.push([ _('Bytes'), [ fmt.count(flow.bytes) ] ]);
		if (flow.app != null)
			rows.push([ _('Application'), [ fmt.name(flow.app) ] ]);
		rows.push([ _('Number'), [ flow.id ] ]);

		return E('dl', { 'class': 'glacic-terms' }, rows.reduce((nodes, [ term, value ]) =>
			nodes.concat([ E('dt', {}, [ term ]), E('dd', {}, value) ]), []));
	},

	/* The same, asked for; the record of events is no reason to fail. */
	load(id) {
		return Promise.all([
			glacic.flowGet(id), glacic.eventList(0, 256).catch(() => ({})), glacic.status(), uci.load('glacic').catch(() => null)
		]).then(([ flow, { events }, status ]) => glacic.deviceMode(flow.mac).then((mode) =>
			this.render(flow, events, why(flow, status, mode))));
	}
});
