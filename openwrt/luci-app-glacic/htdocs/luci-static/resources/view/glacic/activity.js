'use strict';
'require view';
'require glacic.rpc as glacic';
'require glacic.format as fmt';
'require glacic.page as page';
'require glacic.table as table';

/* The last day in a picture: new flows and drops, the busiest devices and services, and what happened last. */

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 960, HEIGHT = 120, SLOTS = 96;

function svg(name, attributes, children) {
	const node = document.createElementNS(SVG, name);

	for (let key in attributes)
		node.setAttribute(key, attributes[key]);
	for (let child of children || [])
		node.appendChild(child);

	return node;
}

function text(content, attributes) {
	return svg('text', attributes, [ document.createTextNode(content) ]);
}

function hour(at) {
	return new Date(at * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/* The axis ends at a round number at or above the highest bar. */
function ceiling(most) {
	const size = Math.pow(10, Math.floor(Math.log10(Math.max(most, 1))));

	return [ 1, 2, 5, 10 ].map((n) => n * size).find((n) => n >= most) || 1;
}

/* One row of bars; the newest slot stands at the right. */
function bars(slots, step, member, title, cls) {
	const most = slots.reduce((n, slot) => Math.max(n, slot[member] || 0), 0);
	const top = ceiling(most);
	const last = slots.length ? slots[slots.length - 1].at : 0;
	const w = WIDTH / SLOTS;
	const x = (slot) => WIDTH - w * (1 + Math.round((last - slot.at) / step));
	const total = slots.reduce((n, slot) => n + (slot[member] || 0), 0);
	const label = _('%s: %s in all, at most %s in a quarter of an hour').format(title, fmt.count(total), fmt.count(most));

	return E('figure', { 'class': 'glacic-chart ' + cls }, [
		E('figcaption', {}, [ E('strong', {}, [ title ]), ' ', E('span', { 'class': 'glacic-dim' }, [ _('%s in all').format(fmt.count(total)) ]) ]),
		svg('svg', { 'viewBox': '0 0 %d %d'.format(WIDTH, HEIGHT + 1), 'role': 'img', 'aria-label': label, 'preserveAspectRatio': 'none' }, [
			svg('line', { 'class': 'glacic-axis', 'x1': 0, 'y1': HEIGHT + .5, 'x2': WIDTH, 'y2': HEIGHT + .5 }),
			svg('line', { 'class': 'glacic-axis glacic-fine', 'x1': 0, 'y1': .5, 'x2': WIDTH, 'y2': .5 })
		].concat(slots.filter((slot) => slot[member] > 0).map((slot) => {
			const h = Math.max(2, slot[member] / top * HEIGHT);
			const bar = svg('rect', { 'class': 'glacic-bar-' + cls, 'x': x(slot) + 1, 'y': HEIGHT - h, 'width': w - 2, 'height': h });
			bar.appendChild(svg('title', {}, [ document.createTextNode('%s: %s'.format(hour(slot.at), fmt.count(slot[member]))) ]));

			return bar;
		}))),
		E('div', { 'class': 'glacic-scale', 'aria-hidden': 'true' }, [ fmt.count(top) ]),
		E('div', { 'class': 'glacic-hours', 'aria-hidden': 'true' }, [ 24, 18, 12, 6, 0 ].map((h) => E('span', {}, [ last ? hour(last + step - h * 3600) : '' ])))
	]);
}

/* Who is most active: name, figures, and a bar under them. */
function ranking(title, what, items, label) {
	const most = items.reduce((n, item) => Math.max(n, item.connections + item.dropped), 1);

	return E('div', { 'class': 'cbi-section glacic-ranking' }, [
		E('h3', {}, [ title ]),
		items.length ? table.make(title, '', [ what, _('Connections'), _('Dropped') ], table.body(items.map((item) => table.row([
			table.cell('', 'glacic-who', [
				label(item),
				E('div', { 'class': 'glacic-meter', 'aria-hidden': 'true' }, [
					E('div', { 'class': 'glacic-passed', 'style': 'width:%f%%'.format(item.connections / most * 100) }),
					E('div', { 'class': 'glacic-dropped', 'style': 'width:%f%%'.format(item.dropped / most * 100) })
				])
			]),
			table.cell(_('Connections'), '', [ fmt.count(item.connections) ]),
			table.cell(_('Dropped'), '', [ fmt.count(item.dropped) ])
		])))) : E('p', { 'class': 'glacic-empty' }, [ _('Nothing yet.') ])
	]);
}

/* An event in a line. */
function event(e) {
	const who = () => fmt.device(e.mac, e.device || e.name);
	const flow = e.flow ? [ fmt.serviceText(e.flow), ' · ', fmt.device(e.flow.mac, e.flow.device) ] : [];

	switch (e.event) {
	case 'flow_new': return [ _('New flow:'), ' ', ...flow, ' ', fmt.state(e.flow.state) ];
	case 'flow_changed': return [ _('Decided:'), ' ', ...flow, ' ', fmt.state(e.flow.state) ];
	case 'flows_changed': return [ N_(e.count, 'Decided: %d more flow', 'Decided: %d more flows').format(e.count) ];
	case 'flow_forgotten': return [ _('Forgotten:'), ' ', ...flow ];
	case 'device_new': return [ _('New device:'), ' ', who() ];
	case 'device_changed': return [ _('Device changed:'), ' ', who(), e.mode ? ' (' + fmt.mode(e.mode) + ')' : '' ];
	case 'learning_changed': return [ e.learning ? _('Learning was switched on') : _('Learning was switched off') ];
	case 'config_reloaded': return [ _('New settings are in force') ];
	case 'config_refused': return [ '⚠ ', _('Settings were refused:'), ' ', fmt.name(e.message) ];
	case 'alert': return [ '⚠ ', fmt.name(e.message) ];
	default: return [ '' + e.event ];
	}
}

return view.extend({
	...page.formless,

	last: 0,

	fetch() {
		return Promise.all([ glacic.activity(), glacic.eventList(this.last, 256) ]).then(([ activity, events ]) => ({ activity, events }));
	},

	load() {
		return Promise.all([ this.fetch(), glacic.status() ]).then(([ reply, status ]) => {
			fmt.setClock(status);

			return reply;
		}).catch((e) => e);
	},

	show({ activity, events }) {
		const slots = activity.slots || [];
		const step = activity.step || 900;
		const key = JSON.stringify(activity);

		if (this.key !== key) {
			this.key = key;
			L.dom.content(this.charts, [
				E('p', { 'class': 'glacic-dim' }, [ _('Kept in memory since %s, and lost at a restart.').format(fmt.dateText(activity.since) || fmt.agoText(activity.since)) ]),
				...(slots.some((slot) => slot.new_flows || slot.dropped) ? [
					bars(slots, step, 'new_flows', _('New flows'), 'new'),
					bars(slots, step, 'dropped', _('Dropped packets'), 'dropped'),
					this.figures(slots)
				] : [ E('p', { 'class': 'glacic-empty' }, [ _('No new flow and no dropped packet yet.') ]) ])
			]);
			L.dom.content(this.rankings, [
				ranking(_('Most active devices'), _('Device'), activity.devices || [], (d) => fmt.device(d.mac, d.device)),
				ranking(_('Most used services'), _('Service'), activity.services || [], (s) => fmt.service(s))
			]);
		}

		/* Numbers that begin anew are those of a daemon that was started anew. */
		if (events.last < this.last) {
			L.dom.content(this.events, []);
			this.last = 0;
		}
		for (let e of (events.events || []).filter(({ seq }) => seq > this.last))
			this.events.prepend(E('li', {}, [ E('span', { 'class': 'glacic-when' }, [ fmt.ago(e.time) ]), ' ', E('span', {}, event(e)) ]));
		this.last = Math.max(this.last, events.last || 0);
		while (this.events.children.length > 100)
			this.events.lastElementChild.remove();
		this.quiet.hidden = this.events.children.length > 0;
	},

	/* The picture in figures, for those who cannot see it. */
	figures(slots) {
		const open = this.charts.querySelector('details[open]') ? '' : null;
		const titles = [ _('From'), _('New flows'), _('Dropped packets') ];

		return E('details', { 'open': open }, [
			E('summary', {}, [ _('The same in figures') ]),
			table.make(_('The same in figures'), 'glacic-figures', titles, table.body(slots.filter((s) => s.new_flows || s.dropped).reverse().map((s) =>
				table.row([ hour(s.at), fmt.count(s.new_flows), fmt.count(s.dropped) ].map((value, i) => table.cell(titles[i], '', [ value ]))))))
		]);
	},

	render(first) {
		this.charts = E('div', { 'class': 'cbi-section' });
		this.rankings = E('div', { 'class': 'glacic-columns' });
		this.events = E('ol', { 'class': 'glacic-events' });
		this.quiet = E('p', { 'class': 'glacic-empty' }, [ _('Nothing yet.') ]);

		const node = page.frame(_('Activity'), null, [
			this.charts, this.rankings,
			E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ _('What happened last') ]), this.quiet, this.events ])
		]);

		this.live = page.live(() => this.fetch(), (reply) => this.show(reply), 5);
		this.live.first(first);

		return node;
	}
});
