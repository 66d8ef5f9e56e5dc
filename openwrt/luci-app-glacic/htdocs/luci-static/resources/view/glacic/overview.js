'use strict';
'require view';
'require glacic.rpc as glacic';
'require glacic.format as fmt';
'require glacic.page as page';
'require glacic.decide as decide';

/* How glacic stands: on or off, learning or enforcing, what waits, what is wrong, and the switch of learning. */

/* What a warning is about, by the daemon's code; the sentence itself is the daemon's. */
const WARNINGS = {
	offload: () => _('Flow offload is on'),
	module_missing: () => _('A kernel module is missing'),
	queue_overflow: () => _('The queue overflowed'),
	log_lost: () => _('Log records were lost'),
	database_moved: () => _('The database was moved aside'),
	database_trouble: () => _('The database cannot be written'),
	clock_not_set: () => _('The clock is not set'),
	ruleset_missing: () => _('The ruleset is not in the kernel'),
	table_full: () => _('A table is full'),
	config_refused: () => _('The configuration was refused'),
	interface: () => _('An interface cannot be guarded'),
	fw4: () => _('Something is wrong with the firewall')
};

return view.extend({
	...page.formless,

	load() {
		return glacic.status().catch((e) => e);
	},

	/* The one sentence that matters. */
	headline(s) {
		if (s.enabled === false)
			return [ 'off', '○', _('glacic is switched off') ];
		if (!s.ruleset)
			return [ 'bad', '⚠', _('glacic runs, and its rules are not in the kernel') ];

		return s.learning
			? [ 'learning', '◐', _('glacic is on and learning') ]
			: [ 'enforcing', '●', _('glacic is on and enforcing') ];
	},

	sentence(s) {
		const left = s.learning_left;

		if (s.enabled === false)
			return [ _('Nothing is learned and nothing is enforced.'), ' ',
				E('a', { 'href': L.url('admin/services/glacic/settings') }, [ _('Switch it on in Settings') ]) ];
		if (s.learning)
			return [ left != null
				? _('What devices do for the first time is allowed and remembered. Learning ends by itself in %s of running time.').format(fmt.span(left))
				: _('What devices do for the first time is allowed and remembered, until you end learning.') ];

		return [ left != null
			? _('What devices do for the first time waits for you. Learning begins again in %s of running time.').format(fmt.span(left))
			: _('What devices do for the first time does not pass, and waits for you.') ];
	},

	facts(s) {
		const flows = s.flows || {};
		const link = (state) => E('a', { 'href': L.url('admin/services/glacic/flows') + '#state=' + state }, [
			fmt.state(state), ' ', E('strong', {}, [ fmt.count(flows[state]) ]) ]);
		const rows = [
			[ _('Flows'), [ link('allowed'), ' ', link('pending'), ' ', link('denied') ] ],
			[ _('Devices'), [ E('a', { 'href': L.url('admin/services/glacic/devices') }, [ E('strong', {}, [ fmt.count(s.devices) ]) ]) ] ],
			[ _('Dropped in the last hour'), [ E('a', { 'href': L.url('admin/services/glacic/activity') }, [ E('strong', {}, [ fmt.count(s.dropped_last_hour) ]) ]) ] ],
			[ _('Listens to'), [ (s.mode == 'queue')
				? _('the packets themselves (queue): held until there is an answer')
				: _('copies of packets (log): nothing is delayed') ] ],
			[ _('Stands'), [ (s.placement == 'fallback')
				? _('behind the firewall (fallback): opens what is known')
				: _('before the firewall (guard): takes away what it would allow') ] ],
			[ _('When it cannot answer'), [ (s.fail_mode == 'closed')
				? _('undecided flows do not pass (closed)')
				: _('undecided flows pass (open)') ] ],
			[ _('Guards'), (s.interfaces && s.interfaces.length) ? [ s.interfaces.join(', ') ] : [ _('no interface') ] ],
			[ _('Database'), [ (s.database && s.database.trouble) ? '⚠ ' + s.database.trouble : ((s.database || {}).path || '–') ] ],
			[ _('Version'), [ s.version, ' ', E('span', { 'class': 'glacic-dim' }, [ _('running for %s').format(fmt.span(s.uptime || 0)) ]) ] ]
		];

		return rows.reduce((nodes, [ term, value ]) => nodes.concat([ E('dt', {}, [ term ]), E('dd', {}, value) ]), []);
	},

	/* A piece is made anew only when its text changes: focus and selection stay. */
	put(place, key, children) {
		if (place.getAttribute('data-text') === key)
			return;

		place.setAttribute('data-text', key);
		L.dom.content(place, children);
	},

	show(s) {
		const [ kind, sign, text ] = this.headline(s);
		const waiting = (s.flows || {}).pending || 0;
		const warnings = (s.warnings || []).map((w) => L.isObject(w) ? w : { code: 'other', message: w });

		fmt.setClock(s);
		this.status = s;
		const sentence = E('p', {}, this.sentence(s));
		this.put(this.hero, kind + sentence.textContent, [
			E('div', { 'class': 'glacic-light glacic-' + kind, 'aria-hidden': 'true' }, [ sign ]),
			E('div', {}, [ E('h3', {}, [ text ]), sentence ])
		]);
		this.put(this.waiting, waiting + '', waiting ? [
			E('span', { 'class': 'glacic-figure' }, [ fmt.count(waiting) ]),
			E('span', {}, [ N_(waiting, 'flow waits for a decision', 'flows wait for a decision') ]),
			E('a', { 'class': 'btn cbi-button cbi-button-action', 'href': L.url('admin/services/glacic/pending') }, [ _('Decide') ])
		] : [ E('span', { 'class': 'glacic-dim' }, [ _('Nothing waits for a decision.') ]) ]);
		this.put(this.warnings, JSON.stringify(warnings), warnings.map((w) => E('div', { 'class': 'alert-message warning' }, [
			E('strong', {}, [ E('span', { 'aria-hidden': 'true' }, [ '⚠ ' ]), WARNINGS[w.code] ? WARNINGS[w.code]() : _('Warning') ]),
			E('p', {}, [ '' + w.message ])
		])));
		const facts = this.facts(s);
		this.put(this.terms, facts.map((n) => n.textContent).join('|'), facts);
		this.put(this.switches, s.learning + '', this.learningSwitch(s));
	},

	learningSwitch(s) {
		const spans = [
			[ '', s.learning ? _('until I switch it on') : _('until I switch it off') ],
			[ fmt.HOUR, _('for an hour') ], [ 6 * fmt.HOUR, _('for 6 hours') ], [ fmt.DAY, _('for a day') ],
			[ 7 * fmt.DAY, _('for a week') ], [ 14 * fmt.DAY, _('for two weeks') ]
		];
		const select = E('select', { 'id': 'glacic-for', 'class': 'cbi-input-select', 'disabled': page.readonly() ? '' : null },
			spans.map(([ seconds, text ]) => E('option', { 'value': seconds }, [ text ])));
		const on = !s.learning;
		const change = (to) => glacic.learningSet(to, select.value ? +select.value : undefined).then(() =>
			page.say([ to ? _('Learning is on.') : _('Learning is off: new flows wait for you.') ])
		).catch((e) => decide.failed(e)).then(() => this.live.now());

		return [
			E('label', { 'for': 'glacic-for' }, [ on ? _('Learn') : _('End learning') ]), ' ', select, ' ',
			page.button(on ? _('Switch learning on') : _('Switch learning off'), 'cbi-button-action', () => change(on)),
			s.learning ? page.button(_('Go on learning for this long'), 'cbi-button-neutral', () => change(true)) : ''
		];
	},

	render(first) {
		this.hero = E('div', { 'class': 'glacic-hero' });
		this.waiting = E('div', { 'class': 'glacic-waiting', 'aria-live': 'polite' });
		this.warnings = E('div', { 'class': 'glacic-warnings' });
		this.terms = E('dl', { 'class': 'glacic-terms' });
		this.switches = E('div', { 'class': 'glacic-switches' });

		const node = page.frame(_('Glacic'), null, [
			E('div', { 'class': 'cbi-section glacic-top' }, [ this.hero, this.waiting ]),
			this.warnings,
			E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ _('Learning') ]), this.switches ]),
			E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ _('How it runs') ]), this.terms ])
		]);

		this.live = page.live(() => glacic.status(), (s) => this.show(s), 3);
		this.live.first(first);

		return node;
	}
});
