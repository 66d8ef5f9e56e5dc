'use strict';
'require baseclass';
'require rpc';

/* Stand-in for LuCI's uci.js: what is stored, and what was changed in this page and not sent yet. */

const get = rpc.declare({ object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} }, reject: true });
const add = rpc.declare({ object: 'uci', method: 'add', params: [ 'config', 'type', 'name', 'values' ], expect: { section: '' }, reject: true });
const set = rpc.declare({ object: 'uci', method: 'set', params: [ 'config', 'section', 'values' ], reject: true });
const remove = rpc.declare({ object: 'uci', method: 'delete', params: [ 'config', 'section', 'options' ], reject: true });

const nothing = () => ({ added: {}, set: {}, gone: {} });

return baseclass.extend({
	stored: {},
	news: {},
	made: 0,

	load(config) {
		return this.stored[config] ? Promise.resolve() : get(config).then((values) => {
			this.stored[config] = values;
			this.news[config] = nothing();
		});
	},

	unload(config) {
		delete this.stored[config];
	},

	/* As LuCI does: with what was set, and still with options that go. Only get() knows of those. */
	sections(config, type) {
		const { added, set: changed, gone } = this.news[config] || nothing();
		const old = Object.values(this.stored[config] || {}).filter((s) => gone[s['.name']] !== true).sort((a, b) => a['.index'] - b['.index']);

		return old.concat(Object.values(added)).map((s) => Object.assign({}, s, changed[s['.name']])).filter((s) => !type || s['.type'] == type);
	},

	get(config, section, option) {
		const { added, gone } = this.news[config] || nothing();
		const found = this.sections(config).find((s) => s['.name'] == section);
		const away = added[section] ? {} : gone[section] || {};

		if (!found || option)
			return (found && !away[option]) ? found[option] : null;
		for (let key in away)
			delete found[key];

		return found;
	},

	set(config, section, option, value) {
		const { added, set: changed, gone } = this.news[config];
		const old = this.stored[config][section];
		const empty = value == null || value === '';
		const mine = added[section] || (changed[section] = changed[section] || {});

		if (empty)
			delete mine[option];
		else
			mine[option] = value;
		if (added[section] || !old || gone[section] === true)
			return;
		gone[section] = gone[section] || {};
		if (empty && old[option] != null)
			gone[section][option] = true;
		else
			delete gone[section][option];
	},

	unset(config, section, option) {
		this.set(config, section, option, null);
	},

	add(config, type, name) {
		const id = name || 'new' + (++this.made);

		this.news[config].added[id] = { '.type': type, '.name': id, '.anonymous': !name, '.create': true };

		return id;
	},

	remove(config, section) {
		const news = this.news[config];

		if (news.added[section])
			delete news.added[section];
		else
			news.gone[section] = true;
		delete news.set[section];
	},

	/* What a config's changes are as calls: first what goes, as LuCI sends it. */
	tasks(config) {
		const { added, set: changed, gone } = this.news[config];
		const options = (s) => Object.fromEntries(Object.entries(s).filter(([ key ]) => !key.startsWith('.')));
		const some = (o) => Object.keys(o).length > 0;

		return [
			...Object.keys(gone).filter((id) => gone[id] === true).map((id) => () => remove(config, id)),
			...Object.keys(gone).filter((id) => gone[id] !== true && some(gone[id])).map((id) => () => remove(config, id, Object.keys(gone[id]))),
			...Object.values(added).map((s) => () => add(config, s['.type'], s['.anonymous'] ? undefined : s['.name'], options(s))),
			...Object.keys(changed).filter((id) => some(changed[id])).map((id) => () => set(config, id, changed[id]))
		];
	},

	save() {
		const tasks = Object.keys(this.news).flatMap((config) => this.tasks(config));

		return tasks.reduce((before, task) => before.then(task), Promise.resolve()).then(() => {
			const configs = Object.keys(this.stored);
			configs.forEach((config) => this.unload(config));

			return Promise.all(configs.map((config) => this.load(config)));
		});
	}
});
