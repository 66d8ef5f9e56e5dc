'use strict';
'require view';
'require uci';
'require glacic.rpc as glacic';
'require glacic.format as fmt';
'require glacic.page as page';
'require glacic.table as table';
'require glacic.decide as decide';

/*
 * Every device that was seen, the latest first: its name and mode can be changed here, unless the configuration has a section for it;
 * then that section holds, and is changed in Settings.
 */

const STEP = 100;

return view.extend({
	...page.formless,

	wanted: STEP,

	fetch() {
		const ask = (offset, devices) => glacic.deviceList('last_seen', true, offset, Math.min(500, this.wanted - offset)).then((reply) => {
			const some = reply.devices || [];
			devices.push(...some);

			return (some.length && devices.length < Math.min(this.wanted, reply.total))
				? ask(devices.length, devices) : { devices, total: reply.total };
		});

		return ask(0, []);
	},

	load() {
		return Promise.all([
			this.fetch(), glacic.status(), L.resolveDefault(uci.load('glacic'), null)
		]).then(([ reply, status ]) => {
			fmt.setClock(status);

			return reply;
		}).catch((e) => e);
	},

	/* The section of the configuration about a device. */
	section(mac) {
		return uci.sections('glacic', 'device').find((s) => ('' + s.mac).toLowerCase() == mac) || null;
	},

	/* The mode that the configuration gives a device; null where it leaves it to the owner. */
	fixedMode(mac) {
		const own = this.section(mac);

		return (own && own.mode && own.mode != 'default') ? own.mode : null;
	},

	/* Scope of a device, and where that comes from. */
	scope(mac) {
		const own = this.section(mac);
		const main = uci.sections('glacic', 'rule_learning')[0] || {};
		const scope = (own && own.scope) || main.scope || 'service';

		return [
			(scope == 'destination') ? _('each destination') : _('service'),
			(own && own.scope) ? '' : E('span', { 'class': 'glacic-dim' }, [ ' ', _('(like all)') ])
		];
	},

	show(reply) {
		table.reconcile(this.body, reply.devices, (d) => d.mac, (d) => this.makeRow(d), (row, d) => this.updateRow(row, d));
		this.empty.hidden = reply.devices.length > 0;
		this.table.hidden = reply.devices.length == 0;
		this.more.hidden = reply.devices.length >= reply.total;
		L.dom.content(this.summary, [ (reply.devices.length < reply.total)
			? _('%s of %s devices').format(fmt.count(reply.devices.length), fmt.count(reply.total))
			: N_(reply.total, '%s device', '%s devices').format(fmt.count(reply.total)) ]);
	},

	makeRow(d) {
		const name = fmt.deviceText(d.mac, d.name);
		const fixed = this.section(d.mac);
		const mode = E('select', {
			'class': 'cbi-input-select glacic-mode', 'aria-label': _('Mode of %s').format(name),
			'disabled': (page.readonly() || this.fixedMode(d.mac)) ? '' : null,
			'change': (ev) => this.setMode(d.mac, ev.target)
		}, fmt.modes().map((m) => E('option', { 'value': m }, [ fmt.mode(m) ])));

		return table.row([
			table.cell('', 'glacic-device-cell', []),
			table.cell(_('Mode'), 'glacic-mode-cell', [ mode, this.fixedMode(d.mac) ? E('div', { 'class': 'glacic-dim' }, [
				E('a', { 'href': L.url('admin/services/glacic/settings') }, [ _('set in Settings') ])
			]) : '' ]),
			table.cell(_('Decides about'), 'glacic-scope', this.scope(d.mac)),
			table.cell(_('Flows'), 'glacic-counts', []),
			table.cell(_('Last seen'), 'glacic-last', []),
			table.cell('', 'glacic-act', (fixed && fixed.name) ? [] : [
				page.button(_('Rename'), 'cbi-button-neutral', () => this.rename(d.mac), { 'aria-label': _('Rename %s').format(name) })
			])
		]);
	},

	updateRow(row, d) {
		const text = JSON.stringify([ d, fmt.agoText(d.last_seen) ]);
		const mode = row.querySelector('.glacic-mode');

		row.device = d;
		if (row.getAttribute('data-text') === text)
			return;

		row.setAttribute('data-text', text);
		if (document.activeElement !== mode)
			mode.value = this.fixedMode(d.mac) || d.mode;
		L.dom.content(row.querySelector('.glacic-device-cell'), [ fmt.device(d.mac, d.name), fmt.deviceFacts(d) ]);
		L.dom.content(row.querySelector('.glacic-counts'), [ 'allowed', 'pending', 'denied' ].map((state) =>
			E('a', { 'class': 'glacic-count', 'href': L.url('admin/services/glacic/flows') + '#' + new URLSearchParams({ device: d.mac, state }) }, [
				fmt.state(state), ' ', E('strong', {}, [ fmt.count(d[state]) ])
			])));
		L.dom.content(row.querySelector('.glacic-last'), [ fmt.ago(d.last_seen) ]);
	},

	set(mac, name, mode, words) {
		return glacic.deviceSet(mac, name, mode).then(() => page.say(words)).catch((e) => decide.failed(e)).then(() => this.live.now());
	},

	setMode(mac, select) {
		const row = this.body.querySelector('tr[data-key="' + mac + '"]');
		const d = row.device;
		const mode = select.value;
		const change = () => this.set(mac, undefined, mode, [ fmt.device(mac, d.name), ': ', fmt.mode(mode) ]).then(() => {
			select.value = row.device.mode;
		});

		if (mode != 'block')
			return change();

		return page.ask(_('Block this device?'), [
			E('p', {}, [ fmt.device(mac, d.name) ]),
			E('p', {}, [ _('Nothing it sends passes the router any more, and its connections end. If it is the device you sit at, you may lock yourself out.') ])
		], _('Block'), 'cbi-button-negative important').then((yes) => {
			if (yes)
				return change();
			select.value = d.mode;
		});
	},

	rename(mac) {
		const d = this.body.querySelector('tr[data-key="' + mac + '"]').device;
		const input = E('input', { 'type': 'text', 'class': 'cbi-input-text', 'id': 'glacic-name', 'maxlength': 63, 'value': d.name || '', 'autocomplete': 'off' });
		const asked = page.ask(_('Rename device'), [
			E('p', {}, [ E('span', { 'class': 'glacic-mac' }, [ mac ]), ' ', fmt.deviceFacts({ vendor: d.vendor, randomised: d.randomised }) ]),
			E('label', { 'for': 'glacic-name' }, [ _('Name'), ' ', input ]),
			E('p', { 'class': 'glacic-dim' }, [ _('An empty name takes the name away.') ])
		], _('Rename'));

		input.addEventListener('keydown', (ev) => {
			if (ev.key === 'Enter')
				input.closest('[role=alertdialog]').querySelector('.important').click();
		});
		input.focus();
		input.select();

		return asked.then((yes) => {
			const name = input.value.trim();
			if (yes && name !== (d.name || ''))
				return this.set(mac, name, undefined, name ? [ _('Now called:'), ' ', fmt.name(name) ] : [ _('The name was taken away.') ]);
		});
	},

	render(first) {
		const columns = [ _('Device'), _('Mode'), _('Decides about'), _('Flows'), _('Last seen'), '' ];

		this.body = table.body();
		this.table = table.make(_('Devices'), 'glacic-devices', columns, this.body);
		this.empty = E('p', { 'class': 'glacic-empty', 'hidden': '' }, [ _('No device was seen yet.') ]);
		this.summary = E('p', { 'class': 'glacic-summary' });
		this.more = E('p', { 'class': 'glacic-more', 'hidden': '' }, [ page.button(_('Show %d more').format(STEP), 'glacic-plain', () => {
			this.wanted += STEP;

			return this.live.now();
		}) ]);

		const node = page.frame(_('Devices'), null, [
			E('div', { 'class': 'cbi-section' }, [
				this.summary, this.table, this.empty, this.more,
				E('details', { 'class': 'glacic-legend' }, [
					E('summary', {}, [ _('What the modes mean') ]),
					E('dl', { 'class': 'glacic-terms' }, [
						[ 'default', _('Learns or enforces as glacic does on the whole.') ],
						[ 'learn', _('What it does for the first time is always allowed and remembered.') ],
						[ 'enforce', _('What it does for the first time always waits for you.') ],
						[ 'trust', _('Everything passes, and nothing is asked.') ],
						[ 'block', _('Nothing passes the router; the router itself stays reachable unless it is guarded.') ]
					].reduce((nodes, [ mode, text ]) => nodes.concat([ E('dt', {}, [ fmt.mode(mode) ]), E('dd', {}, [ text ]) ]), []))
				])
			])
		]);

		this.live = page.live(() => this.fetch(), (reply) => this.show(reply), 5);
		this.live.first(first);

		return node;
	}
});
