'use strict';
'require view';
'require glacic.rpc as glacic';
'require glacic.format as fmt';
'require glacic.page as page';
'require glacic.table as table';
'require glacic.decide as decide';
'require glacic.detail as detail';
'require glacic.export as files';

/* All flows: the daemon searches, filters, sorts and pages. What is asked for stands in the address (after #). */

const PAGE = 50;

const COLUMNS = [
	[ 'device', () => _('Device') ],
	[ 'service', () => _('Service') ],
	[ null, () => _('Towards') ],
	[ 'state', () => _('State') ],
	[ 'last_seen', () => _('Last seen') ],
	[ 'first_seen', () => _('First seen') ],
	[ 'connections', () => _('Connections') ]
];

const ASKED = [ 'search', 'state', 'origin', 'device' ];

return view.extend({
	...page.formless,

	readAddress() {
		const given = new URLSearchParams(window.location.hash.slice(1));

		this.asked = { sort: given.get('sort') || 'last_seen', descending: given.get('order') != 'up', offset: +given.get('from') || 0 };
		for (let key of ASKED)
			this.asked[key] = given.get(key) || '';
	},

	writeAddress() {
		const given = new URLSearchParams();
		const asked = this.asked;

		for (let key of ASKED)
			if (asked[key])
				given.set(key, asked[key]);
		if (asked.sort != 'last_seen' || !asked.descending) {
			given.set('sort', asked.sort);
			given.set('order', asked.descending ? 'down' : 'up');
		}
		if (asked.offset)
			given.set('from', asked.offset);
		window.history.replaceState(null, '', '#' + given.toString());
	},

	filter() {
		const filter = {};

		for (let key of ASKED)
			if (this.asked[key])
				filter[key] = this.asked[key];

		return filter;
	},

	fetch() {
		const asked = this.asked;

		return glacic.flowList(this.filter(), asked.sort, asked.descending, asked.offset, PAGE);
	},

	load() {
		this.readAddress();

		return Promise.all([ this.fetch(), glacic.status() ]).then(([ reply, status ]) => {
			fmt.setClock(status);

			return reply;
		}).catch((e) => e);
	},

	/* Something else is asked for: from the first page, at once. */
	ask(changes) {
		Object.assign(this.asked, { offset: 0 }, changes);
		this.writeAddress();
		this.updateHead();

		return this.live.now();
	},

	show(reply) {
		const flows = reply.flows || [];
		const total = reply.total || 0;
		const from = this.asked.offset;

		if (!flows.length && from && total)
			return this.ask({ offset: Math.floor((total - 1) / PAGE) * PAGE });

		table.reconcile(this.body, flows, (f) => f.id, (f) => this.makeRow(f), (row, f) => this.updateRow(row, f));
		for (let row of Array.from(this.body.querySelectorAll('tr.glacic-detail')))
			this.placeDetail(row);

		this.total = total;
		this.empty.hidden = flows.length > 0;
		this.table.hidden = flows.length == 0;
		L.dom.content(this.range, [ total
			? _('%s–%s of %s').format(fmt.count(from + 1), fmt.count(from + flows.length), fmt.count(total))
			: _('none') ]);
		this.back.disabled = from == 0;
		this.on.disabled = from + flows.length >= total;
		this.save.forEach((button) => button.disabled = total == 0);
	},

	makeRow(flow) {
		const what = fmt.serviceText(flow) + ', ' + fmt.deviceText(flow.mac, flow.device);
		const opener = E('button', {
			'type': 'button', 'class': 'glacic-opener', 'aria-expanded': 'false', 'aria-label': _('Details of %s').format(what),
			'click': () => this.toggle(flow.id)
		}, [ E('span', { 'aria-hidden': 'true' }, [ '▸' ]) ]);

		return table.row([
			table.cell('', 'glacic-device-cell', []),
			table.cell(_('Service'), 'glacic-service-cell', [ fmt.service(flow) ]),
			table.cell(_('Towards'), 'glacic-where', []),
			table.cell(_('State'), 'glacic-state-cell', []),
			table.cell(_('Last seen'), 'glacic-last', []),
			table.cell(_('First seen'), 'glacic-first', []),
			table.cell(_('Connections'), 'glacic-tries', []),
			table.cell('', 'glacic-open-cell', [ opener ])
		]);
	},

	updateRow(row, flow) {
		const text = [ flow.device, flow.state, flow.origin, fmt.agoText(flow.first_seen), fmt.agoText(flow.last_seen),
			flow.connections, JSON.stringify(flow.names) ].join('|');

		row.flow = flow;
		if (row.getAttribute('data-text') === text)
			return;

		row.setAttribute('data-text', text);
		const set = (cls, children) => L.dom.content(row.querySelector(cls), children);
		set('.glacic-device-cell', [ fmt.device(flow.mac, flow.device), flow.vendor ? E('div', { 'class': 'glacic-dim' }, [ fmt.name(flow.vendor) ]) : '' ]);
		set('.glacic-where', [ fmt.destination(flow, 2) ]);
		set('.glacic-state-cell', [ fmt.state(flow.state), E('div', {}, [ fmt.originNote(flow) ]) ]);
		set('.glacic-last', [ fmt.ago(flow.last_seen) ]);
		set('.glacic-first', [ fmt.ago(flow.first_seen) ]);
		set('.glacic-tries', [ fmt.count(flow.connections) ]);

		const below = this.body.querySelector('tr.glacic-detail[data-of="' + flow.id + '"]');
		if (below)
			this.fillDetail(below, flow);
	},

	row(id) {
		return this.body.querySelector('tr[data-key="' + id + '"]');
	},

	/* A detail stands below its row, and goes with it. */
	placeDetail(below) {
		const row = this.row(below.getAttribute('data-of'));

		if (!row)
			below.remove();
		else if (row.nextElementSibling !== below)
			row.after(below);
	},

	toggle(id) {
		const row = this.row(id);
		const opener = row.querySelector('.glacic-opener');
		const old = this.body.querySelector('tr.glacic-detail[data-of="' + id + '"]');

		opener.setAttribute('aria-expanded', old ? 'false' : 'true');
		if (old)
			return old.remove();

		const below = table.row([ table.cell('', '', [
			E('div', { 'class': 'glacic-inside' }, [ E('em', { 'class': 'spinning' }, [ _('Loading…') ]) ]),
			E('div', { 'class': 'glacic-buttons' }, [])
		]) ], 'glacic-detail');
		below.setAttribute('data-of', id);
		below.firstElementChild.colSpan = COLUMNS.length + 1;
		row.after(below);

		return this.fillDetail(below, row.flow);
	},

	fillDetail(below, flow) {
		const buttons = below.querySelector('.glacic-buttons');
		const button = (word, text, cls) => page.button(text, cls, () => decide.flows(word, [ flow ], () => this.live.now()));
		const here = buttons.contains(document.activeElement);

		L.dom.content(buttons, [
			flow.state != 'allowed' ? button('allow', _('Allow'), 'cbi-button-positive') : '', ' ',
			flow.state != 'denied' ? button('deny', _('Deny'), 'cbi-button-negative') : '', ' ',
			page.button((flow.state == 'pending') ? _('Forget flow') : _('Forget decision'), 'cbi-button-neutral', () => this.forget(flow)), ' ',
			page.button(_('Only this device'), 'glacic-plain', () => this.ask({ device: flow.mac }))
		]);
		if (here && buttons.querySelector('button'))
			buttons.querySelector('button').focus();

		return detail.load(flow.id).then((node) => L.dom.content(below.querySelector('.glacic-inside'), node),
			(e) => L.dom.content(below.querySelector('.glacic-inside'), [ '' + e.message ]));
	},

	forget(flow) {
		return page.ask(_('Forget this flow?'), [
			E('p', {}, [ fmt.service(flow), ' · ', fmt.device(flow.mac, flow.device) ]),
			E('p', {}, [ _('It is treated like one that was never seen: learned again while learning, waiting for you otherwise.') ])
		], _('Forget'), 'cbi-button-negative important').then((yes) =>
			yes ? decide.flows('forget', [ flow ], () => this.live.now()) : null);
	},

	/*
	 * All flows that match, as a file. They are read in the order of their numbers: those stay, while in an order that
	 * changes from page to page flows would come twice, and others never.
	 */
	download(kind) {
		const filter = this.filter();
		const read = (offset, limit) => glacic.flowList(filter, 'id', false, offset, limit);
		const name = 'glacic-flows-' + new Date(fmt.now() * 1000).toISOString().slice(0, 10);
		const progress = (n, total) => page.say([ _('Reading %s of %s flows…').format(fmt.count(n), fmt.count(total)) ]);

		return glacic.all(read, 'flows', progress).then((flows) => {
			if (kind == 'csv')
				files.save(name + '.csv', 'text/csv;charset=utf-8', files.csv(flows));
			else
				files.save(name + '.json', 'application/json', files.json(flows));
			page.say([ N_(flows.length, 'Saved %s flow.', 'Saved %s flows.').format(fmt.count(flows.length)) ]);
		}).catch((e) => decide.failed(e));
	},

	updateHead() {
		const asked = this.asked;

		for (let th of this.table.querySelectorAll('th[data-sort]')) {
			const mine = th.getAttribute('data-sort') == asked.sort;
			th.setAttribute('aria-sort', mine ? (asked.descending ? 'descending' : 'ascending') : 'none');
			L.dom.content(th.querySelector('.glacic-order'), [ mine ? (asked.descending ? ' ▾' : ' ▴') : '' ]);
		}
		this.only.hidden = !asked.device;
		L.dom.content(this.only, asked.device ? [
			_('Only'), ' ', fmt.name(asked.device), ' ',
			page.button(_('All devices'), 'glacic-plain', () => this.ask({ device: '' }))
		] : []);
		this.sorting.value = asked.sort + (asked.descending ? '' : ' up');
		for (let key in this.choices)
			this.choices[key].value = asked[key];
		if (document.activeElement !== this.searching)
			this.searching.value = asked.search;
	},

	choice(label, key, options) {
		const id = 'glacic-' + key;

		this.choices[key] = E('select', { 'id': id, 'class': 'cbi-input-select', 'change': (ev) => this.ask({ [key]: ev.target.value }) },
			options.map(([ value, text ]) => E('option', { 'value': value }, [ text ])));

		return E('label', { 'for': id }, [ E('span', {}, [ label ]), this.choices[key] ]);
	},

	tools() {
		let typing;

		this.choices = {};
		this.searching = E('input', {
			'id': 'glacic-search', 'type': 'search', 'class': 'cbi-input-text',
			'placeholder': _('Device, address, service or port'), 'autocomplete': 'off', 'spellcheck': 'false', 'maxlength': 100,
			'input': (ev) => {
				window.clearTimeout(typing);
				typing = window.setTimeout(() => this.ask({ search: ev.target.value.trim() }), 250);
			}
		});
		this.sorting = E('select', { 'id': 'glacic-sort', 'class': 'cbi-input-select', 'change': (ev) => {
			const [ sort, up ] = ev.target.value.split(' ');
			this.ask({ sort, descending: !up });
		} }, COLUMNS.filter(([ key ]) => key).reduce((nodes, [ key, title ]) => nodes.concat([
			E('option', { 'value': key }, [ title() + ' ▾' ]), E('option', { 'value': key + ' up' }, [ title() + ' ▴' ])
		]), []));

		return E('div', { 'class': 'glacic-tools', 'role': 'search' }, [
			E('label', { 'for': 'glacic-search', 'class': 'glacic-grow' }, [ E('span', {}, [ _('Search') ]), this.searching ]),
			this.choice(_('State'), 'state', [ [ '', _('all') ] ].concat(
				[ 'pending', 'allowed', 'denied' ].map((s) => [ s, fmt.stateWord(s) ]))),
			this.choice(_('Origin'), 'origin', [ [ '', _('all') ] ].concat(
				[ 'learned', 'user', 'imported', 'baseline' ].map((o) => [ o, fmt.origin(o) ]))),
			E('label', { 'for': 'glacic-sort', 'class': 'glacic-narrow' }, [ E('span', {}, [ _('Sort') ]), this.sorting ])
		]);
	},

	render(first) {
		const tools = this.tools();

		this.body = table.body();
		this.table = table.make(_('Flows'), 'glacic-flows', COLUMNS.map(([ key, title ]) => key ? E('button', {
			'type': 'button', 'class': 'glacic-sorter',
			'click': () => this.ask({ sort: key, descending: (this.asked.sort == key) ? !this.asked.descending : key != 'device' && key != 'service' })
		}, [ title(), E('span', { 'class': 'glacic-order', 'aria-hidden': 'true' }, []) ]) : title()).concat([ '' ]), this.body,
		(i) => ({ 'data-sort': COLUMNS[i] ? COLUMNS[i][0] : null }));
		this.empty = E('p', { 'class': 'glacic-empty', 'hidden': '' }, [ _('No flow matches.') ]);
		this.only = E('p', { 'class': 'glacic-only', 'hidden': '' });
		this.range = E('span', { 'class': 'glacic-range', 'aria-live': 'polite' });
		this.back = page.button(_('Previous'), 'glacic-plain', () => this.ask({ offset: Math.max(0, this.asked.offset - PAGE) }));
		this.on = page.button(_('Next'), 'glacic-plain', () => this.ask({ offset: this.asked.offset + PAGE }));
		this.save = [ 'csv', 'json' ].map((kind) => page.button(_('Save as %s').format(kind.toUpperCase()), 'glacic-plain', () => this.download(kind)));

		const node = page.frame(_('Flows'), _('What each device does: a protocol and a port, and whether it may.'), [
			E('div', { 'class': 'cbi-section' }, [
				tools, this.only, this.table, this.empty,
				E('div', { 'class': 'glacic-pager' }, [ this.back, this.range, this.on, E('span', { 'class': 'glacic-grow' }), ...this.save ])
			])
		]);

		this.live = page.live(() => this.fetch(), (reply) => this.show(reply), 5);
		this.updateHead();
		this.live.first(first);
		/* Another address of this page: followed, without loading it anew. */
		window.addEventListener('hashchange', () => {
			this.readAddress();
			this.updateHead();
			this.live.now();
		});

		return node;
	}
});
