'use strict';
'require baseclass';

/*
 * Tables of rows that are brought up to date by their keys: what has not changed keeps its node, and so its focus.
 * On a phone the style sheet makes cards of the rows, so roles and the titles of the cells are spelled out.
 */

/* Milliseconds after which a long list lets the browser do other things. */
const SLICE = 25;

const breath = () => new Promise((resolve) => window.setTimeout(resolve, 0));

return baseclass.extend({
	/* `columns`: titles, or nodes; an empty one heads the buttons. `attributes(i)` adds to the i-th heading. */
	make(label, cls, columns, body, attributes) {
		return E('table', { 'class': 'table glacic-rows ' + (cls || ''), 'role': 'table', 'aria-label': label }, [
			E('thead', { 'role': 'rowgroup' }, [ this.row(columns.map((title, i) =>
				E('th', Object.assign({ 'class': 'th', 'role': 'columnheader', 'scope': 'col' }, attributes ? attributes(i) : null), [
					(title === '') ? E('span', { 'class': 'glacic-unseen' }, [ _('Actions') ]) : title
				])), 'table-titles') ]),
			body
		]);
	},

	body(rows) {
		return E('tbody', { 'role': 'rowgroup' }, rows || []);
	},

	row(cells, cls) {
		return E('tr', { 'class': 'tr ' + (cls || ''), 'role': 'row' }, cells);
	},

	/* `title` stands before the cell where the headings have no room. */
	cell(title, cls, children) {
		return E('td', { 'class': 'td ' + cls, 'role': 'cell', 'data-label': title }, children);
	},

	reconcile(parent, items, key, make, update) {
		for (let steps = this.steps(parent, items, key, make, update); !steps.next().done;);
	},

	/*
	 * Several lists (each the arguments of reconcile) in slices, so that the page answers meanwhile. Gives up when
	 * `still()` says no: something newer is to be shown.
	 */
	async slowly(lists, still) {
		let begun = performance.now();

		for (let list of lists)
			for (let steps = this.steps(...list); !steps.next().done;) {
				if (performance.now() - begun < SLICE)
					continue;
				await breath();
				if (!still())
					return;
				begun = performance.now();
			}
	},

	*steps(parent, items, key, make, update) {
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
			yield;
		}

		for (let node of old.values())
			node.remove();
	}
});
