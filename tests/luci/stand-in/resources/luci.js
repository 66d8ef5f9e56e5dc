'use strict';

/* Stand-in for LuCI's luci.js: classes, page elements, polling, requests, views, and the loader of them all. */

(function(window, document) {
	const env = {};

	function extend(base, members) {
		const Class = function(...args) {
			if (typeof this.__init__ == 'function')
				this.__init__(...args);
		};

		Class.prototype = Object.assign(Object.create(base ? base.prototype : null), members);
		Class.prototype.super = function(name, args) {
			return base.prototype[name].apply(this, args || []);
		};
		Class.extend = (more) => extend(Class, more);

		return Class;
	}

	const Base = extend(null, {});

	/* The trap of the original is kept: a bare string is HTML, an array's strings are text. */
	const dom = {
		elem: (e) => e != null && typeof e == 'object' && 'nodeType' in e,
		attr(node, attributes) {
			for (let key in attributes) {
				const value = attributes[key];
				if (typeof value == 'function')
					node.addEventListener(key, value);
				else if (value != null)
					node.setAttribute(key, (typeof value == 'object') ? JSON.stringify(value) : value);
			}
		},
		append(node, children) {
			if (Array.isArray(children))
				for (let child of children) {
					if (dom.elem(child))
						node.appendChild(child);
					else if (child != null)
						node.appendChild(document.createTextNode(child));
				}
			else if (typeof children == 'function')
				dom.append(node, children(node));
			else if (dom.elem(children))
				node.appendChild(children);
			else if (children != null)
				node.innerHTML = children;
		},
		content(node, children) {
			node.textContent = '';
			dom.append(node, children);
		},
		create(name, attributes, children) {
			if (!(attributes instanceof Object) || Array.isArray(attributes) || dom.elem(attributes))
				[ attributes, children ] = [ null, attributes ];
			const node = Array.isArray(name) ? document.createDocumentFragment()
				: dom.elem(name) ? name : document.createElement(name);
			if (Array.isArray(name))
				dom.append(node, name);
			dom.attr(node, attributes || {});
			dom.append(node, children);

			return node;
		}
	};

	const poll = {
		queue: [],
		add(fn, interval) {
			poll.queue.push({ fn, interval: interval || env.pollinterval, ready: true });
			poll.start();
		},
		start() {
			if (poll.timer || !poll.queue.length || !L.loaded)
				return;
			poll.tick = 0;
			poll.timer = window.setInterval(poll.step, 1000);
			poll.step();
		},
		stop() {
			window.clearInterval(poll.timer);
			poll.timer = null;
		},
		active: () => poll.timer != null,
		step() {
			for (let entry of poll.queue) {
				if (poll.tick % entry.interval != 0 || !entry.ready)
					continue;
				entry.ready = false;
				Promise.resolve(entry.fn()).finally(() => { entry.ready = true });
			}
			poll.tick++;
		}
	};

	const View = extend(Base, {
		__init__() {
			const place = document.getElementById('view');

			L.ready.then(() => this.load()).then((data) => this.render(data)).then((nodes) => {
				dom.content(place, nodes);
				dom.append(place, [ this.addFooter() ]);
			});
		},
		load() {},
		render() {},
		maps() {
			return Array.from(document.querySelectorAll('#maincontent .cbi-map')).map((node) => node.map).filter((map) => map);
		},
		handleSave() {
			return Promise.all(this.maps().map((map) => map.save()));
		},
		handleSaveApply(ev, mode) {
			return this.handleSave(ev).then(() => L.ui.changes.apply(mode == '0'));
		},
		handleReset() {
			return Promise.all(this.maps().map((map) => map.reset()));
		},
		addFooter() {
			const off = this.maps().length ? this.maps().every((map) => map.readonly) : !L.hasViewPermission();
			const button = (method, cls, text, ...args) => this[method] ? dom.create('button', {
				'class': cls, 'disabled': off ? '' : null, 'click': (ev) => this[method](ev, ...args)
			}, [ text ]) : '';

			if (!this.handleSave && !this.handleSaveApply && !this.handleReset)
				return '';

			return dom.create('div', { 'class': 'cbi-page-actions' }, [
				button('handleSaveApply', 'btn cbi-button cbi-button-apply', _('Save & Apply'), '0'), ' ',
				button('handleSave', 'btn cbi-button cbi-button-save', _('Save')), ' ',
				button('handleReset', 'btn cbi-button cbi-button-reset', _('Reset'))
			]);
		}
	});

	const classes = { baseclass: Base, dom, poll, view: View };

	/* A file's 'require NAME as OTHER' lines are the arguments of the function around it. */
	function load(name) {
		if (classes[name])
			return Promise.resolve(classes[name]);

		const url = env.resource + '/' + name.replace(/\./g, '/') + '.js';

		return classes[name] = window.fetch(url).then((response) => {
			if (!response.ok)
				throw new Error('HTTP error ' + response.status + ' while loading ' + url);

			return response.text();
		}).then((source) => {
			const names = [];
			const waits = [];
			for (let m of source.matchAll(/^'require ([^\s']+)(?: as ([^\s']+))?';$/gm)) {
				names.push(m[2] || m[1].replace(/[^a-zA-Z0-9_]/g, '_'));
				waits.push(load(m[1]));
			}

			return Promise.all(waits).then((instances) => {
				const factory = (0, eval)('(function(window, document, L, ' + names.join(', ') + ') {' + source + '\n})\n//# sourceURL=' + url);
				const Class = factory(window, document, L, ...instances);

				return classes[name] = new Class();
			});
		});
	}

	window.E = dom.create;
	window.LuCI = function(given) {
		Object.assign(env, given);
		window.L = this;
		this.ready = Promise.all([
			new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve)), load('ui'), load('rpc'), load('form')
		]).then(([ , ui ]) => {
			this.ui = ui;
			this.loaded = true;
			poll.start();
		});
	};
	Object.assign(window.LuCI.prototype, {
		env, dom, Poll: poll,
		require: load,
		url: (...parts) => [ env.scriptname, ...parts.flat() ].join('/'),
		resource: (...parts) => [ env.resource, ...parts.flat() ].join('/'),
		isObject: (value) => value != null && typeof value == 'object',
		toArray: (value) => (value == null) ? [] : Array.isArray(value) ? value : String(value).trim().split(/\s+/).filter((s) => s),
		resolveDefault: (value, otherwise) => Promise.resolve(value).catch(() => otherwise),
		hasViewPermission: () => env.nodespec.satisfied ? !env.nodespec.readonly : null
	});
})(window, document);
