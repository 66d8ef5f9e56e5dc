'use strict';
'require baseclass';
'require poll';
'require ui';
'require glacic.rpc as glacic';

/*
 * What every page has: the style sheet, a place for trouble (the daemon is down, the router does not answer), a
 * place where what was done is said (also to screen readers), and a refresh that never shows an answer older than
 * what the owner did since.
 */

const STYLE = 'glacic-style';

/* The status of ubus for what did not answer in time. */
const TIMEOUT = 7;

/* What the keyboard can reach in a dialog. */
const STOPS = 'button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), a[href]';

return baseclass.extend({
	__init__() {
		if (!document.getElementById(STYLE))
			document.head.appendChild(E('link', {
				'id': STYLE, 'rel': 'stylesheet', 'href': L.resource('glacic/style.css')
			}));
	},

	/* For a view that is no form: nothing to save at its foot. */
	formless: { handleSave: null, handleSaveApply: null, handleReset: null },

	/* Whether the session has only the read ACL. */
	readonly() {
		return L.hasViewPermission() === false;
	},

	/* A page: heading, trouble, what was said, and what it is about. */
	frame(title, about, content) {
		this.heading = E('h2', { 'tabindex': -1 }, [ title ]);
		this.trouble = E('div', { 'class': 'glacic-trouble', 'role': 'alert' });
		this.said = E('div', { 'class': 'glacic-said', 'role': 'status', 'aria-live': 'polite' });
		this.content = E('div', { 'class': 'glacic-content' }, content);

		return E('div', { 'class': 'cbi-map glacic' }, [
			this.heading,
			about ? E('div', { 'class': 'cbi-map-descr' }, [ about ]) : '',
			this.readonly() ? E('p', { 'class': 'glacic-dim' },
				[ _('Your login may see everything here and change nothing.') ]) : '',
			this.trouble, this.content, this.said
		]);
	},

	/* Shows what keeps the page from being up to date; what it shows stays, greyed. */
	fail(e) {
		const mine = this.failing = {};
		const text = '' + (e.message || e);

		if (e.code != 'unavailable')
			return this.explain(false, _('This page is not up to date'), [ text ]);
		/* What is slow runs: to start it would help nobody. */
		if (e.status == TIMEOUT)
			return this.explain(false, _('glacic does not answer in time'), [ _('It runs and is busy, or it hangs. This page asks again by itself.'), E('br'), text ]);

		/* A daemon that is not wanted does not run, and one whose settings are wrong does not start. */
		return Promise.all([ glacic.switchedOn().catch(() => null), glacic.errors().catch(() => []) ]).then(([ on, errors ]) => {
			if (mine !== this.failing)
				return;
			if (on === false)
				this.explain(false, _('glacic is switched off'), [ _('Nothing is learned and nothing is enforced.'), ' ',
					E('a', { 'href': L.url('admin/services/glacic/settings') }, [ _('Switch it on in Settings') ]) ]);
			else
				this.explain(true, _('glacic is not running'), [ text, E('br'),
					E('a', { 'href': L.url('admin/system/startup') }, [ _('Start it under System, Startup') ]) ],
				errors.length ? this.refusal(errors) : null);
		});
	},

	/* Why a start is in vain. */
	refusal(errors) {
		return E('div', {}, [
			E('p', {}, [ _('It does not start while its settings are refused:'), ' ',
				E('a', { 'href': L.url('admin/services/glacic/settings') }, [ _('Correct them in Settings') ]) ]),
			this.problems(errors)
		]);
	},

	/* What is wrong with a configuration; `title(option)` says what people call an option. */
	problems(list, title) {
		return E('ul', { 'class': 'glacic-problems' }, list.map((p) => E('li', {}, [
			E('strong', {}, [ (p.severity == 'error') ? _('Refused:') : _('Warning:') ]), ' ',
			(title && p.option) ? title(p.option) + ' – ' : '', '' + p.message
		])));
	},

	/* `more`: what stands below the text. */
	explain(bad, title, nodes, more) {
		const text = E('p', {}, nodes);
		const key = title + text.textContent + (more ? more.textContent : '');

		if (this.trouble.getAttribute('data-text') === key)
			return;

		this.trouble.setAttribute('data-text', key);
		L.dom.content(this.trouble, E('div', { 'class': 'alert-message ' + (bad ? 'error' : 'warning') }, [
			E('h4', {}, [ title ]), text, more || '', E('p', {}, [ _('This page goes on by itself when that is over.') ])
		]));
		this.content.classList.add('glacic-stale');
		this.content.setAttribute('aria-busy', 'true');
	},

	recover() {
		this.failing = null;
		if (!this.trouble.hasAttribute('data-text'))
			return;

		this.trouble.removeAttribute('data-text');
		L.dom.content(this.trouble, []);
		this.content.classList.remove('glacic-stale');
		this.content.removeAttribute('aria-busy');
	},

	/*
	 * Says what was done (`nodes`: text and names), for a while; a failure stays longer, and what can be taken back
	 * (`undo`) as long as the owner is at it.
	 */
	say(nodes, { failed, undo } = {}) {
		const button = undo ? E('button', { 'type': 'button', 'class': 'btn glacic-undo', 'click': () => { this.heading.focus(); undo() } }, [ _('Undo') ]) : '';
		const word = E('div', { 'class': 'alert-message ' + (failed ? 'error' : 'success') }, [
			E('span', { 'aria-hidden': 'true' }, [ failed ? '⚠ ' : '✓ ' ]), E('span', {}, nodes), button
		]);
		const hush = () => {
			if (word.matches(':hover, :focus-within'))
				this.silence = window.setTimeout(hush, 2000);
			else
				word.remove();
		};

		window.clearTimeout(this.silence);
		L.dom.content(this.said, word);
		this.silence = window.setTimeout(hush, failed ? 20000 : undo ? 12000 : 6000);
	},

	/*
	 * Calls `fetch` every `interval` seconds and gives its result to `show`. `first()` takes what the view has loaded,
	 * or the error in its place. `now()` asks at once, and lets answers that were on their way be forgotten: they do
	 * not know yet what was just decided. A `show` that takes its time asks `still()` whether it is to go on.
	 */
	live(fetch, show, interval) {
		let age = 0;
		let shows = 0;
		const good = (result) => {
			const mine = ++shows;
			const then = age;
			this.content.classList.add('glacic-once');

			return show(result, () => mine === shows && then === age);
		};
		const turn = () => {
			const mine = age;

			return fetch().then((result) => {
				if (mine !== age)
					return;
				this.recover();

				return good(result);
			}).catch((e) => {
				if (mine !== age)
					return;
				if (!e || !e.code)
					throw e;

				return this.fail(e);
			});
		};

		poll.add(turn, interval);

		return {
			first: (result) => (result instanceof Error) ? this.fail(result) : good(result),
			now: () => { age++; return turn() }
		};
	},

	button(text, cls, click, attributes) {
		return E('button', Object.assign({
			'type': 'button',
			'class': 'btn cbi-button ' + (cls || ''),
			'click': click,
			'disabled': (this.readonly() && cls != 'glacic-plain') ? '' : null
		}, attributes), [ text ]);
	},

	/* A question before what cannot be taken back easily; resolves to whether the answer was yes. */
	ask(title, nodes, yes, cls) {
		return new Promise((resolve) => {
			const before = document.activeElement;
			const answer = (is) => () => {
				/* The dialog is LuCI's own, and asks other things next. */
				document.removeEventListener('keydown', keys, true);
				mark({ 'role': 'dialog' });
				ui.hideModal();
				if (before && before.isConnected)
					before.focus();
				resolve(is);
			};
			const no = E('button', { 'type': 'button', 'class': 'btn', 'click': answer(false) }, [ _('Cancel') ]);
			const dialog = ui.showModal('', [
				E('h4', {}, [ title ]),
				E('div', { 'class': 'glacic glacic-ask', 'id': 'glacic-ask' }, nodes),
				E('div', { 'class': 'right button-row' }, [
					no, ' ',
					E('button', {
						'type': 'button', 'class': 'btn cbi-button ' + (cls || 'cbi-button-positive important'),
						'click': answer(true)
					}, [ yes ])
				])
			]);
			const mark = (marks) => [ 'role', 'aria-label', 'aria-describedby' ].forEach((name) =>
				marks[name] ? dialog.setAttribute(name, marks[name]) : dialog.removeAttribute(name));
			/* The keyboard stays in the dialog until it is answered. */
			const keys = (ev) => {
				const stops = Array.from(dialog.querySelectorAll(STOPS));
				const end = ev.shiftKey ? 0 : stops.length - 1;

				if (ev.key === 'Escape') {
					ev.preventDefault();
					no.click();
				}
				if (ev.key !== 'Tab' || (dialog.contains(document.activeElement) && document.activeElement !== stops[end]))
					return;
				ev.preventDefault();
				stops[stops.length - 1 - end].focus();
			};

			mark({ 'role': 'alertdialog', 'aria-label': title, 'aria-describedby': 'glacic-ask' });
			document.addEventListener('keydown', keys, true);
			no.focus();
		});
	}
});
