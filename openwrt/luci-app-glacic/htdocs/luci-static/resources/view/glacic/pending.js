'use strict';
'require view';
'require glacic.rpc as glacic';
'require glacic.format as fmt';
'require glacic.page as page';
'require glacic.table as table';
'require glacic.decide as decide';

/*
 * What wants a decision, newest first, device by device. Shows a hundred flows until more are asked for; rows
 * that stay keep their nodes, so that selection and focus survive the refresh.
 */

const FIRST = 100;
const PAGE = 500;

return view.extend({
	...page.formless,

	wanted: FIRST,
	turns: 0,

	/* The newest `wanted` flows; beyond a page, the older pages every fifth time only. */
	fetch() {
		const filter = { state: 'pending' };
		const ask = (offset) => glacic.flowList(filter, 'first_seen', true, offset, Math.min(PAGE, this.wanted - offset));
		const whole = (this.turns++ % 5) == 0 || this.hurry;
		this.hurry = false;

		return Promise.all([ ask(0), whole ? glacic.status() : null ]).then(([ first, status ]) => {
			const flows = first.flows || [];
			const more = (offset) => (offset < Math.min(this.wanted, first.total))
				? ask(offset).then((reply) => {
					flows.push(...(reply.flows || []));

					return (reply.flows || []).length ? more(flows.length) : null;
				}) : Promise.resolve();

			if (whole)
				return more(flows.length).then(() => ({ flows, total: first.total, status }));

			const fresh = new Set(flows.map((f) => f.id));
			const rest = this.flows.filter((f) => !fresh.has(f.id)).slice(0, Math.max(0, this.wanted - flows.length));

			return { flows: flows.concat(flows.length < first.total ? rest : []), total: first.total, status };
		});
	},

	load() {
		return this.fetch().catch((e) => e);
	},

	show(reply, still) {
		const seen = new Set();

		if (reply.status) {
			this.status = reply.status;
			fmt.setClock(reply.status);
		}
		this.total = reply.total;
		this.flows = reply.flows.filter((f) => !seen.has(f.id) && seen.add(f.id));
		this.byId = new Map(this.flows.map((f) => [ f.id, f ]));
		for (let id of this.selected)
			if (!this.byId.has(id))
				this.selected.delete(id);

		const groups = new Map();
		for (let flow of this.flows) {
			if (!groups.has(flow.mac))
				groups.set(flow.mac, []);
			groups.get(flow.mac).push(flow);
		}

		table.reconcile(this.list, Array.from(groups.values()), (flows) => flows[0].mac,
			(flows) => this.makeGroup(flows[0]), (node, flows) => this.updateGroup(node, flows));
		this.updateAround();

		return table.slowly(Array.from(this.list.children, (node) => [
			node.querySelector('tbody'), groups.get(node.getAttribute('data-key')),
			(f) => f.id, (f) => this.makeRow(f), (row, f) => this.updateRow(row, f)
		]), still).then(() => this.updateBar());
	},

	updateAround() {
		const n = this.flows.length;
		const status = this.status || {};
		const learning = status.learning;
		const opens = status.placement != 'fallback' || status.mode == 'queue';

		this.empty.hidden = n > 0;
		L.dom.content(this.about, [ _('What devices tried and nobody has decided yet.'), ' ', !opens
			? _('Until then it does not pass.') : learning
				? _('Meanwhile it passes, unless its device is in mode enforce.')
				: _('Until then it does not pass, unless its device is in mode learn.') ]);
		L.dom.content(this.empty, [
			E('p', {}, [ E('strong', {}, [ _('Nothing waits for a decision.') ]) ]),
			E('p', {}, [ learning
				? _('Learning is on: what devices do for the first time is allowed and remembered. Once it is off, it waits here for you.')
				: _('What a device does for the first time will appear here by itself.') ])
		]);
		L.dom.content(this.summary, [ n < this.total
			? _('The newest %s of %s flows that wait').format(fmt.count(n), fmt.count(this.total))
			: N_(n, '%s flow waits', '%s flows wait').format(fmt.count(n)) ]);
		this.summary.hidden = n == 0;
		this.more.hidden = n >= this.total;
		this.updateBar();
	},

	updateBar() {
		const n = this.selected.size;

		this.bar.hidden = n == 0;
		L.dom.content(this.chosen, [ N_(n, '%d selected', '%d selected').format(n) ]);
		for (let group of this.list.children) {
			const boxes = Array.from(group.querySelectorAll('tbody input[type=checkbox]'));
			const all = group.querySelector('.glacic-all');
			const on = boxes.filter((box) => box.checked).length;
			all.checked = on > 0 && on == boxes.length;
			all.indeterminate = on > 0 && on < boxes.length;
		}
	},

	makeGroup(flow) {
		const name = fmt.deviceText(flow.mac, flow.device);
		const body = table.body();
		const heading = E('h3', {});
		const all = E('input', {
			'type': 'checkbox', 'class': 'glacic-all', 'aria-label': _('Select all shown flows of %s').format(name),
			'disabled': page.readonly() ? '' : null,
			'change': (ev) => {
				for (let box of body.querySelectorAll('input[type=checkbox]')) {
					box.checked = ev.target.checked;
					this.choose(+box.value, box.checked);
				}
				this.updateBar();
			}
		});
		const columns = [ all, _('Service'), _('Towards'), _('First seen'), _('Last seen'), _('Tries'), '' ];

		return E('section', { 'class': 'cbi-section glacic-group', 'aria-label': name }, [
			E('div', { 'class': 'glacic-head' }, [
				heading,
				E('div', { 'class': 'glacic-buttons' }, [
					page.button(_('Allow all'), 'cbi-button-positive', () => this.decideDevice('allow', flow.mac),
						{ 'aria-label': _('Allow all waiting flows of %s').format(name) }),
					page.button(_('Deny all'), 'cbi-button-negative', () => this.decideDevice('deny', flow.mac),
						{ 'aria-label': _('Deny all waiting flows of %s').format(name) })
				])
			]),
			table.make(_('Waiting flows of %s').format(name), '', columns, body)
		]);
	},

	updateGroup(node, flows) {
		const flow = flows[0];
		const heading = [
			fmt.device(flow.mac, flow.device), ' ',
			fmt.deviceFacts({
				mac: flow.mac, name: flow.device, vendor: flow.vendor, randomised: fmt.isRandomised(flow.mac)
			}), ' ',
			E('span', { 'class': 'glacic-tag' }, [ N_(flows.length, '%d flow', '%d flows').format(flows.length) ])
		];

		L.dom.content(node.querySelector('h3'), heading);
	},

	makeRow(flow) {
		const what = fmt.serviceText(flow) + ', ' + fmt.deviceText(flow.mac, flow.device);
		const act = (word) => () => this.decideOne(word, flow.id);

		return table.row([
			table.cell('', 'glacic-check', [ E('input', {
				'type': 'checkbox', 'value': flow.id, 'aria-label': _('Select %s').format(what),
				'disabled': page.readonly() ? '' : null,
				'change': (ev) => { this.choose(flow.id, ev.target.checked); this.updateBar() }
			}) ]),
			table.cell(_('Service'), 'glacic-wide', [ fmt.service(flow) ]),
			table.cell(_('Towards'), 'glacic-where', [ fmt.destination(flow) ]),
			table.cell(_('First seen'), 'glacic-first', []),
			table.cell(_('Last seen'), 'glacic-last', []),
			table.cell(_('Tries'), 'glacic-tries', []),
			table.cell('', 'glacic-act', [
				page.button(_('Allow'), 'cbi-button-positive', act('allow'), { 'aria-label': _('Allow %s').format(what) }), ' ',
				page.button(_('Deny'), 'cbi-button-negative', act('deny'), { 'aria-label': _('Deny %s').format(what) })
			])
		]);
	},

	updateRow(row, flow) {
		const text = [ fmt.agoText(flow.first_seen), fmt.agoText(flow.last_seen), flow.connections, JSON.stringify(flow.names) ].join('|');

		if (row.getAttribute('data-text') === text)
			return;

		row.setAttribute('data-text', text);
		L.dom.content(row.querySelector('.glacic-first'), [ fmt.ago(flow.first_seen) ]);
		L.dom.content(row.querySelector('.glacic-last'), [ fmt.ago(flow.last_seen) ]);
		L.dom.content(row.querySelector('.glacic-tries'), [ fmt.count(flow.connections) ]);
		L.dom.content(row.querySelector('.glacic-where'), [ fmt.destination(flow) ]);
	},

	choose(id, on) {
		if (on)
			this.selected.add(id);
		else
			this.selected.delete(id);
	},

	/* Where the keyboard goes when its row is decided: the same button of the next row, or of the one before. */
	neighbour(id) {
		const row = this.list.querySelector('tr[data-key="' + id + '"]');
		const rows = Array.from(this.list.querySelectorAll('tbody tr'));
		const here = document.activeElement;

		if (!row || !row.contains(here))
			return () => {};

		const place = Array.from(row.querySelectorAll('button, input')).indexOf(here);
		const at = rows.indexOf(row);
		const next = rows[at + 1] || rows[at - 1];

		return () => {
			const target = (next && next.isConnected) ? next.querySelectorAll('button, input')[place] : page.heading;
			if (!document.activeElement || document.activeElement === document.body)
				target.focus();
		};
	},

	refresh() {
		this.hurry = true;

		return this.live.now();
	},

	decideOne(word, id) {
		const flow = this.byId.get(id);
		const move = this.neighbour(id);

		return flow ? decide.flows(word, [ flow ], () => this.refresh()).then(move) : null;
	},

	decideSelected(word) {
		const flows = Array.from(this.selected, (id) => this.byId.get(id)).filter((f) => f);

		return this.sure(word, flows).then((sure) => sure ? decide.flows(word, flows, () => this.refresh()).then((is) => {
			if (is)
				this.selected.clear();
			for (let box of this.list.querySelectorAll('tbody input:checked'))
				box.checked = this.selected.has(+box.value);
			this.updateBar();
			page.heading.focus();
		}) : null);
	},

	/* Cutting several at once is asked about, with how many they are. */
	sure(word, flows) {
		if (word != 'deny' || flows.length < 2)
			return Promise.resolve(true);

		const devices = new Set(flows.map((f) => f.mac)).size;

		return page.ask(_('Deny selected?'), [
			E('p', {}, [ N_(flows.length, '%s flow', '%s flows').format(fmt.count(flows.length)), ', ', N_(devices, '%s device', '%s devices').format(fmt.count(devices)) ]),
			E('p', {}, [ _('Connections that run end at once.') ])
		], _('Deny selected'), 'cbi-button-negative important');
	},

	/*
	 * All that waits of one device, also what is not shown yet: asked about before. The answer holds for the flows that
	 * were counted, not for what the device tries while the question stands.
	 */
	decideDevice(word, mac) {
		const ask = (offset, limit) => glacic.flowList({ state: 'pending', device: mac }, 'id', false, offset, limit);
		const refresh = () => this.refresh();

		return glacic.all(ask, 'flows').then((flows) => flows.length ? this.sureOfAll(word, mac, flows).then((sure) =>
			sure ? decide.flows(word, flows, refresh) : null) : refresh()).catch((e) => decide.failed(e));
	},

	sureOfAll(word, mac, flows) {
		const n = flows.length;
		const about = N_(n, '%s flow of this device waits:', '%s flows of this device wait:').format(fmt.count(n));

		return page.ask((word == 'allow') ? _('Allow all?') : _('Deny all?'),
			[ E('p', {}, [ about, ' ', fmt.device(mac, flows[0].device) ]) ],
			(word == 'allow') ? _('Allow all') : _('Deny all'),
			(word == 'allow') ? 'cbi-button-positive important' : 'cbi-button-negative important');
	},

	render(first) {
		this.flows = [];
		this.byId = new Map();
		this.selected = new Set();
		this.total = 0;
		this.status = null;
		this.list = E('div', { 'class': 'glacic-groups' });
		this.empty = E('div', { 'class': 'cbi-section glacic-empty', 'hidden': '' });
		this.summary = E('p', { 'class': 'glacic-summary', 'aria-live': 'polite' });
		this.chosen = E('strong', {});
		this.bar = E('div', { 'class': 'glacic-bar', 'role': 'group', 'aria-label': _('Selected flows'), 'hidden': '' }, [
			this.chosen,
			page.button(_('Allow selected'), 'cbi-button-positive important', () => this.decideSelected('allow')),
			page.button(_('Deny selected'), 'cbi-button-negative important', () => this.decideSelected('deny')),
			page.button(_('Clear selection'), 'glacic-plain', () => {
				this.selected.clear();
				for (let box of this.list.querySelectorAll('tbody input:checked'))
					box.checked = false;
				this.updateBar();
			})
		]);
		this.more = E('p', { 'class': 'glacic-more', 'hidden': '' }, [
			page.button(_('Show %d more').format(PAGE), 'glacic-plain', () => {
				this.wanted += PAGE;

				return this.refresh();
			})
		]);

		this.about = E('span', {});

		const node = page.frame(_('Pending'), this.about, [ this.summary, this.empty, this.list, this.more, this.bar ]);

		this.live = page.live(() => this.fetch(), (reply, still) => this.show(reply, still), 2);
		this.live.first(first);

		return node;
	}
});
