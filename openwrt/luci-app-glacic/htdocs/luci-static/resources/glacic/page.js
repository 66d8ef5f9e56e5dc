'use strict';
'require baseclass';
'require poll';
'require ui';
'require glacic.format as fmt';

/*
 * What every page has: the style sheet, a place for trouble (the daemon is down, the router does not answer), a
 * place where what was done is said (also to screen readers), and a refresh that never shows an answer older than
 * what the owner did since.
 */

const STYLE = 'glacic-style';

/* A list of rows that is brought up to date by their keys: what has not changed keeps its node, and so its focus. */
function reconcile(parent, items, key, make, update) {
	const old = new Map();
	for (let node of Array.from(parent.children))
		if (node.hasAttribute('data-key'))
			old.set(node.getAttribute('data-key'), node);

	const keyed = (node) => {
		while (node && !node.hasAttribute('data-key'))
			node = node.nextElementSibling;

		return node;
	};

	let place = keyed(parent.firstElementChild);
	for (let item of items) {
		const k = '' + key(item);
		let node = old.get(k);
		old.delete(k);

		if (!node) {
			node = make(item);
			node.setAttribute('data-key', k);
		}
		if (update)
			update(node, item);

		if (node === place)
			place = keyed(place.nextElementSibling);
		else
			parent.insertBefore(node, place);
	}

	for (let node of old.values())
		node.remove();
}

return baseclass.extend({
	__init__() {
		if (!document.getElementById(STYLE))
			document.head.appendChild(E('link', {
				'id': STYLE, 'rel': 'stylesheet', 'href': L.resource('glacic/style.css')
			}));
	},

	reconcile,

	/* Whether the session has only the read ACL. */
	readonly() {
		return L.hasViewPermission() === false;
	},

	/* A page: heading, trouble, what was said, and what it is about. */
	frame(title, about, content) {
		this.trouble = E('div', { 'class': 'glacic-trouble', 'role': 'alert' });
		this.said = E('div', { 'class': 'glacic-said', 'role': 'status', 'aria-live': 'polite' });
		this.content = E('div', { 'class': 'glacic-content' }, content);

		return E('div', { 'class': 'cbi-map glacic' }, [
			E('h2', {}, [ title ]),
			about ? E('div', { 'class': 'cbi-map-descr' }, [ about ]) : '',
			this.readonly() ? E('p', { 'class': 'glacic-dim' },
				[ _('Your login may see everything here and change nothing.') ]) : '',
			this.trouble, this.content, this.said
		]);
	},

	/* Shows what keeps the page from being up to date; what it shows stays, greyed. */
	fail(e) {
		const down = (e.code == 'unavailable');
		const title = down ? _('glacic is not running') : _('This page is not up to date');
		const text = '' + (e.message || e);

		if (this.trouble.getAttribute('data-text') === title + text)
			return;

		this.trouble.setAttribute('data-text', title + text);
		L.dom.content(this.trouble, E('div', { 'class': 'alert-message ' + (down ? 'error' : 'warning') }, [
			E('h4', {}, [ title ]),
			E('p', {}, [ text ]),
			E('p', { 'class': 'glacic-dim' }, [ _('This page goes on by itself when that is over.') ])
		]));
		this.content.classList.add('glacic-stale');
		this.content.setAttribute('aria-busy', 'true');
	},

	recover() {
		if (!this.trouble.hasAttribute('data-text'))
			return;

		this.trouble.removeAttribute('data-text');
		L.dom.content(this.trouble, []);
		this.content.classList.remove('glacic-stale');
		this.content.removeAttribute('aria-busy');
	},

	/* Says what was done (`nodes`: text and names), for a few seconds; a failure stays until the next word. */
	say(nodes, failed) {
		window.clearTimeout(this.silence);
		L.dom.content(this.said, E('div', { 'class': 'alert-message ' + (failed ? 'error' : 'success') }, [
			E('span', { 'aria-hidden': 'true' }, [ failed ? '⚠ ' : '✓ ' ]),
			E('span', {}, nodes)
		]));
		this.silence = window.setTimeout(() => L.dom.content(this.said, []), failed ? 20000 : 6000);
	},

	/*
	 * Calls `fetch` every `interval` seconds and gives its result to `show`. `first()` takes what the view has loaded,
	 * or the error in its place. `now()` asks at once, and lets answers that were on their way be forgotten: they do
	 * not know yet what was just decided.
	 */
	live(fetch, show, interval) {
		let age = 0;
		const good = (result) => {
			this.content.classList.add('glacic-once');
			show(result);
		};
		const turn = () => {
			const mine = age;

			return fetch().then((result) => {
				if (mine !== age)
					return;
				this.recover();
				good(result);
			}).catch((e) => {
				if (mine !== age)
					return;
				if (!e || !e.code)
					throw e;
				this.fail(e);
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
				ui.hideModal();
				if (before && before.isConnected)
					before.focus();
				resolve(is);
			};
			const no = E('button', { 'type': 'button', 'class': 'btn', 'click': answer(false) }, [ _('Cancel') ]);
			const dialog = ui.showModal('', [
				E('h4', {}, [ title ]),
				E('div', { 'class': 'glacic glacic-ask' }, nodes),
				E('div', { 'class': 'right button-row' }, [
					no, ' ',
					E('button', {
						'type': 'button', 'class': 'btn cbi-button ' + (cls || 'cbi-button-positive important'),
						'click': answer(true)
					}, [ yes ])
				])
			]);

			dialog.setAttribute('role', 'alertdialog');
			dialog.setAttribute('aria-label', title);
			dialog.addEventListener('keydown', (ev) => {
				if (ev.key === 'Escape')
					no.click();
			});
			no.focus();
		});
	}
});
