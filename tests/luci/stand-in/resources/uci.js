'use strict';
'require baseclass';
'require rpc';

/* Stand-in for LuCI's uci.js: what is stored, and what was changed in this page and not sent yet. */

const get = rpc.declare({ object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} }, reject: true });
const add = rpc.declare({ object: 'uci', method: 'add', params: [ 'config', 'type', 'name', 'values' ], expect: { section: '' }, reject: true });
const set = rpc.declare({ object: 'uci', method: 'set', params: [ 'config', 'section', 'values' ], reject: true });
const remove = rpc.declare({ object: 'uci', method: 'delete', params: [ 'config', 'section', 'options' ], reject: true });

return baseclass.extend({
	stored: {},
	news: {},
	made: 0,

	load(config) {
		return this.stored[config] ? Promise.resolve() : get(config).then((values) => {
			this.stored[config] = values;
			this.news[config] = { added: {}, set: {}, gone: new Set() };
		});
	},

	unload(config) {
		delete this.stored[config];
	},

	sections(config, type) {
		const news = this.news[config];
		const all = Object.values(this.stored[config] || {}).filter((s) => !news.gone.has(s['.name'])).sort((a, b) => a['.index'] - b['.index'])
			.concat(Object.values(news ? news.added : {}));

		return all.map((s) => {
			const merged = Object.assign({}, s, news.set[s['.name']]);
			for (let key in merged)
				if (merged[key] == null)
					delete merged[key];

			return merged;
		}).filter((s) => !type || s['.type'] == type);
	},

	get(config, section, option) {
		const found = this.sections(config).find((s) => s['.name'] == section);

		return (found && option) ? found[option] : found;
	},

	set(config, section, option, value) {
		const news = this.news[config];

		(news.set[section] = news.set[section] || {})[option] = value;
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
			news.gone.add(section);
		delete news.set[section];
	},

	save() {
		const tasks = [];

		for (let config in this.news) {
			const { added, set: changed, gone } = this.news[config];
			for (let id in added) {
				const values = {};
				for (let key in changed[id])
					if (changed[id][key] != null)
						values[key] = changed[id][key];
				tasks.push(() => add(config, added[id]['.type'], added[id]['.anonymous'] ? undefined : id, values));
			}
			for (let id of gone)
				tasks.push(() => remove(config, id));
			for (let id in changed) {
				const old = this.stored[config][id];
				if (!old || gone.has(id))
					continue;
				const values = {};
				const away = [];
				for (let key in changed[id]) {
					if (changed[id][key] == null) {
						if (old[key] != null)
							away.push(key);
					}
					else if (JSON.stringify(old[key]) != JSON.stringify(changed[id][key])) {
						values[key] = changed[id][key];
					}
				}
				if (Object.keys(values).length)
					tasks.push(() => set(config, id, values));
				if (away.length)
					tasks.push(() => remove(config, id, away));
			}
		}

		return tasks.reduce((before, task) => before.then(task), Promise.resolve()).then(() => {
			const configs = Object.keys(this.stored);
			configs.forEach((config) => this.unload(config));

			return Promise.all(configs.map((config) => this.load(config)));
		});
	}
});
