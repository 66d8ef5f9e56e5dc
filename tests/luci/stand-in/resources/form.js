'use strict';
'require baseclass';
'require rpc';
'require uci';

/* Stand-in for LuCI's form.js: maps of sections of options over UCI, with tabs, tables, validation and saving. */

const access = rpc.declare({ object: 'session', method: 'access', params: [ 'scope', 'object', 'function' ], expect: { access: false } });

const Value = baseclass.extend({
	__init__(map, section, option, title, description) {
		Object.assign(this, { map, section, option, title, description, rmempty: true, keys: [], words: {}, data: {}, fields: {} });
	},
	value(key, word) {
		this.keys.push(String(key));
		this.words[key] = word;
	},
	load(section_id) {
		return uci.get(this.map.config, section_id, this.option);
	},
	validate: () => true,
	id(section_id) {
		return 'cbid.' + [ this.map.config, section_id, this.option ].join('.');
	},
	formvalue(section_id) {
		return this.fields[section_id].value;
	},
	/* Shows whether the field can be taken as it is; gives what is wrong, or nothing. */
	fault(section_id) {
		const field = this.fields[section_id];
		const value = this.formvalue(section_id);
		const empty = value == null || value === '' || value.length === 0;
		const answer = (empty && this.rmempty) ? true : this.validate(section_id, value);

		field.classList.toggle('cbi-input-invalid', answer !== true);
		field.setAttribute('aria-invalid', answer !== true);
		field.title = (answer === true) ? '' : answer;

		return (answer === true) ? null : answer;
	},
	widget(section_id, value) {
		return this.fields[section_id] = E('input', {
			'type': 'text', 'class': 'cbi-input-text', 'id': 'widget.' + this.id(section_id), 'aria-label': this.title,
			'value': (value == null) ? '' : value, 'placeholder': this.placeholder, 'disabled': this.map.readonly ? '' : null,
			'input': () => this.fault(section_id), 'blur': () => this.fault(section_id)
		});
	},
	render(section_id, tag) {
		const field = this.widget(section_id, this.data[section_id]);
		const attributes = { 'data-field': this.id(section_id), 'data-name': this.option };

		if (tag == 'td')
			return E('td', { 'class': 'td cbi-value-field', 'data-title': this.title, 'data-name': this.option }, [ E('div', attributes, [ field ]) ]);

		return E('div', Object.assign(attributes, { 'class': 'cbi-value' }), [
			E('label', { 'class': 'cbi-value-title', 'for': 'widget.' + this.id(section_id) }, [ this.title ]),
			E('div', { 'class': 'cbi-value-field' }, [ field, this.description ? E('div', { 'class': 'cbi-value-description' }, this.description) : '' ])
		]);
	},
	parse(section_id) {
		const fault = this.fault(section_id);
		const value = this.formvalue(section_id);
		const empty = value == null || value === '' || value.length === 0;

		if (fault != null || (empty && !this.rmempty))
			throw new TypeError(_('Option "%s" contains an invalid input value.').format(this.title) + ' ' + (fault || ''));
		if (empty || (value == this.default && this.rmempty))
			uci.unset(this.map.config, section_id, this.option);
		else if (JSON.stringify(value) != JSON.stringify(uci.get(this.map.config, section_id, this.option)))
			uci.set(this.map.config, section_id, this.option, value);
	}
});

const Flag = Value.extend({
	formvalue(section_id) {
		return this.fields[section_id].checked ? '1' : '0';
	},
	widget(section_id, value) {
		return this.fields[section_id] = E('input', {
			'type': 'checkbox', 'id': 'widget.' + this.id(section_id), 'aria-label': this.title, 'disabled': this.map.readonly ? '' : null,
			'checked': ((value == null) ? this.default : value) == '1' ? '' : null
		});
	}
});

const ListValue = Value.extend({
	widget(section_id, value) {
		const chosen = (value == null) ? this.default : value;

		return this.fields[section_id] = E('select', {
			'class': 'cbi-input-select', 'id': 'widget.' + this.id(section_id), 'aria-label': this.title, 'disabled': this.map.readonly ? '' : null
		}, this.keys.map((key) => E('option', { 'value': key, 'selected': (key == chosen) ? '' : null }, [ this.words[key] ])));
	}
});

const DynamicList = Value.extend({
	formvalue(section_id) {
		return Array.from(this.fields[section_id].querySelectorAll('input')).map((input) => input.value).filter((text) => text !== '');
	},
	item(section_id, text) {
		return E('div', { 'class': 'item' }, [ E('input', {
			'type': 'text', 'class': 'cbi-input-text', 'value': text, 'aria-label': this.title, 'placeholder': this.placeholder,
			'disabled': this.map.readonly ? '' : null, 'input': () => this.fault(section_id)
		}) ]);
	},
	widget(section_id, value) {
		return this.fields[section_id] = E('div', { 'class': 'cbi-dynlist', 'id': 'widget.' + this.id(section_id) },
			L.toArray(value).concat([ '' ]).map((text) => this.item(section_id, text)));
	}
});

const TypedSection = baseclass.extend({
	__init__(map, type, title, description) {
		Object.assign(this, { map, type, title, description, children: [], tabs: [] });
	},
	tab(name, title) {
		this.tabs.push({ name, title, children: [] });
	},
	option(Class, ...args) {
		const option = new Class(this.map, this, ...args);
		this.children.push(option);

		return option;
	},
	taboption(name, ...args) {
		const option = this.option(...args);
		this.tabs.find((tab) => tab.name == name).children.push(option);

		return option;
	},
	ids() {
		return uci.sections(this.map.config, this.type).map((s) => s['.name']);
	},
	load() {
		return Promise.all(this.ids().flatMap((id) => this.children.map((option) => Promise.resolve(option.load(id)).then((value) => { option.data[id] = value }))));
	},
	parse() {
		for (let id of this.ids())
			for (let option of this.children)
				option.parse(id);
	},
	head() {
		return [ this.title ? E('h3', {}, [ this.title ]) : '', this.description ? E('div', { 'class': 'cbi-section-descr' }, [ this.description ]) : '' ];
	},
	render() {
		const panes = this.ids().flatMap((id) => this.tabs.map((tab) => E('div', { 'data-tab': tab.name, 'class': 'cbi-section-pane' }, tab.children.map((option) => option.render(id)))));
		const menu = E('ul', { 'class': 'cbi-tabmenu' }, this.tabs.map((tab) => E('li', { 'data-tab': tab.name }, [
			E('a', { 'href': '#', 'click': (ev) => { ev.preventDefault(); choose(tab.name) } }, [ tab.title ])
		])));
		const choose = (name) => {
			for (let node of panes)
				node.style.display = (node.getAttribute('data-tab') == name) ? '' : 'none';
			for (let li of menu.children)
				li.className = (li.getAttribute('data-tab') == name) ? 'cbi-tab' : 'cbi-tab-disabled';
		};

		if (this.tabs.length)
			choose(this.tabs[0].name);

		return E('div', { 'class': 'cbi-section' }, this.head().concat([ menu ], panes));
	}
});

const TableSection = TypedSection.extend({
	render() {
		const again = () => this.map.again();

		return E('div', { 'class': 'cbi-section cbi-tblsection', 'id': 'cbi-' + this.map.config + '-' + this.type }, this.head().concat([
			E('table', { 'class': 'table cbi-section-table' }, [
				E('tr', { 'class': 'tr cbi-section-table-titles' }, this.children.map((option) => E('th', { 'class': 'th' }, [ option.title ])).concat([ E('th', { 'class': 'th' }) ]))
			].concat(this.ids().map((id) => E('tr', { 'class': 'tr cbi-section-table-row', 'data-sid': id }, this.children.map((option) => option.render(id, 'td')).concat([
				E('td', { 'class': 'td cbi-section-actions' }, [ E('button', {
					'class': 'btn cbi-button cbi-button-remove', 'disabled': this.map.readonly ? '' : null,
					'click': () => { uci.remove(this.map.config, id); again() }
				}, [ _('Delete') ]) ])
			]))))),
			E('div', { 'class': 'cbi-section-create' }, [ E('button', {
				'class': 'btn cbi-button cbi-button-add', 'disabled': this.map.readonly ? '' : null,
				'click': () => { uci.add(this.map.config, this.type); again() }
			}, [ _('Add') ]) ])
		]));
	}
});

const Map = baseclass.extend({
	__init__(config, title, description) {
		Object.assign(this, { config, title, description, children: [] });
	},
	section(Class, ...args) {
		const section = new Class(this, ...args);
		this.children.push(section);

		return section;
	},
	load() {
		return Promise.all([ access('uci', this.config, 'write'), uci.load(this.config) ]).then(([ may ]) => {
			this.readonly = !may;

			return Promise.all(this.children.map((section) => section.load()));
		});
	},
	/* The fields as they stand are kept when a section is added or removed. */
	again() {
		for (let section of this.children)
			for (let id of section.ids())
				for (let option of section.children)
					if (option.fields[id] && option.fields[id].isConnected)
						option.data[id] = option.formvalue(id);
		this.draw();
	},
	draw() {
		this.root = this.root || E('div', { 'class': 'cbi-map' });
		this.root.map = this;
		L.dom.content(this.root, this.children.map((section) => section.render()));

		return this.root;
	},
	render() {
		return this.load().then(() => this.draw());
	},
	save(cb) {
		return Promise.resolve().then(() => this.children.forEach((section) => section.parse()))
			.then(cb).then(() => uci.save()).then(() => this.load()).then(() => this.draw());
	},
	reset() {
		return this.load().then(() => this.draw());
	}
});

return baseclass.extend({ Map, TypedSection, TableSection, Value, Flag, ListValue, DynamicList });
