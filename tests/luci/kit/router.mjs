// The router's web server as LuCI's JavaScript sees it: pages, static files, JSON-RPC to ubus with the ACL of each
// session, and the apply, confirm and rollback of UCI. The runtime is a LuCI checkout as it is, or the stand-in.

import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { plugin, CONFIG } from './home.mjs';
import { Uci } from './uci.mjs';
import { readPo, script } from './po.mjs';

const TYPES = {
	js: 'text/javascript', css: 'text/css', json: 'application/json', svg: 'image/svg+xml', png: 'image/png'
};

const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../..');
export const APP = path.join(ROOT, 'openwrt/luci-app-glacic');
const read = (file) => JSON.parse(fs.readFileSync(path.join(APP, 'root/usr/share', file), 'utf8'));

/* Where the runtime's files are: the first folder that has one wins. */
export function folders(luci) {
	const own = path.join(APP, 'htdocs/luci-static');

	return luci
		? [ own, path.join(luci, 'modules/luci-base/htdocs/luci-static'), path.join(luci, 'themes/luci-theme-bootstrap/htdocs/luci-static') ]
		: [ own, path.join(ROOT, 'tests/luci/stand-in') ];
}

/* What luci-base lets every session do, besides what the app's own file says. */
const BASE = {
	read: { ubus: { session: [ 'access' ], luci: [ 'getFeatures' ], file: [ 'list' ], uci: [ 'changes', 'get' ] }, uci: [ 'luci' ] },
	write: { ubus: { uci: [ 'add', 'apply', 'confirm', 'delete', 'order', 'rename', 'set' ] } }
};

export class Router {
	/* `rights` of each session: which parts of the ACL it has. */
	constructor({ luci, lang = 'en', rollback = 10 }) {
		this.luci = luci;
		this.lang = lang;
		this.rollback = rollback;
		this.folders = folders(luci);
		this.menu = read('luci/menu.d/luci-app-glacic.json');
		this.acl = read('rpcd/acl.d/luci-app-glacic.json')['luci-app-glacic'];
		this.sessions = { owner: [ 'read', 'write' ], guest: [ 'read' ], stranger: [] };
		this.uci = new Uci(CONFIG);
		this.calls = [];
		this.replies = new Map();
		this.reload = () => {};
		this.unreachable = false;
	}

	async listen() {
		const [ , list ] = await plugin(null);

		this.signatures = list;
		this.server = http.createServer((request, response) => this.serve(request, response).catch((e) => {
			response.writeHead(500).end(String(e.stack));
		}));
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.url = `http://127.0.0.1:${this.server.address().port}`;
	}

	async close() {
		clearTimeout(this.timer);
		if (!this.server)
			return;
		this.server.closeAllConnections();

		await new Promise((resolve) => this.server.close(resolve));
	}

	page(name) {
		return `${this.url}/cgi-bin/luci/admin/services/glacic/${name}`;
	}

	/* ---- rights */

	may(session, scope, object, method) {
		for (const kind of this.sessions[session] ?? [])
			for (const acl of [ BASE[kind], this.acl[kind] ]) {
				const granted = acl[scope];
				if (scope === 'uci' && (granted ?? []).includes(object) && method === kind)
					return true;
				if (scope === 'ubus' && (granted?.[object] ?? []).includes(method))
					return true;
			}

		return false;
	}

	/* ---- ubus */

	async call(session, object, method, message) {
		const uci = this.uci;

		switch (`${object}.${method}`) {
		case 'session.access':
			/* LuCI asks so whether the session is alive. */
			if (message.scope === 'uci' && message.object === 'luci')
				return [ 0, { access: session in this.sessions } ];

			return [ 0, { access: this.may(session, message.scope, message.object, message.function) } ];
		case 'luci.getFeatures': return [ 0, {} ];
		case 'file.list': return [ 4 ];
		case 'uci.get':
			if (!this.may(session, 'uci', message.config, 'read'))
				return [ 6 ];

			return [ 0, { values: message.config === 'glacic' ? uci.values() : {} } ];
		case 'uci.changes': return [ 0, { changes: uci.changes.length ? { glacic: uci.changes } : {} } ];
		}
		if (object === 'uci' && !this.may(session, 'uci', message.config, 'write'))
			return [ 6 ];
		switch (`${object}.${method}`) {
		case 'uci.add': return [ 0, { section: uci.add(message.type, message.name, message.values) } ];
		case 'uci.set': return [ 0, uci.set(message.section, message.values) ?? {} ];
		case 'uci.delete': return [ 0, uci.delete(message.section, message.options) ?? {} ];
		case 'uci.order': return [ 0, {} ];
		}
		if (object !== 'glacic')
			return [ 4 ];

		/* rpcd holds the arguments against what `list` told. */
		const signature = this.signatures[method];
		if (!signature)
			return [ 3 ];
		const kind = (v) => Array.isArray(v) ? 'array' : typeof v;
		for (const key in message)
			if (!(key in signature) || kind(message[key]) !== kind(signature[key]))
				return [ 2 ];
		if (this.replies.has(method))
			return [ 0, await this.replies.get(method)(message) ];

		/* The plugin reads /etc/config, which is this machine's: here its file stands elsewhere. */
		const given = (method === 'check' && message.config == null) ? { config: fs.readFileSync(CONFIG, 'utf8') } : message;
		const start = performance.now();
		/* uhttpd adds the session to every call. */
		const answer = await plugin(method, { ...given, ubus_rpc_session: session });
		this.calls.push({ method, message, ms: performance.now() - start, error: answer[1]?.error });

		return answer;
	}

	async rpc(request) {
		const { id, method, params } = request;
		const answer = (rest) => ({ jsonrpc: '2.0', id, ...rest });

		if (method === 'list')
			return answer({ result: { glacic: this.signatures } });
		const [ session, object, name, message ] = params;
		if (!this.may(session, 'ubus', object, name))
			return answer({ error: { code: -32002, message: 'Access denied' } });

		return answer({ result: await this.call(session, object, name, message ?? {}) });
	}

	/* ---- settings */

	apply() {
		const before = this.uci.commit();

		clearTimeout(this.timer);
		this.undo = () => {
			this.undo = null;
			fs.writeFileSync(CONFIG, before);
			this.uci.revert();
			this.reload();
		};
		this.timer = setTimeout(() => this.undo?.(), this.rollback * 1000);
		this.reload();
	}

	admin(what, session, response) {
		const mayWrite = this.may(session, 'uci', 'glacic', 'write');

		if (!mayWrite)
			return response.writeHead(403).end();
		if (what === 'apply_rollback') {
			if (!this.uci.changes.length)
				return response.writeHead(204).end();
			this.apply();

			return this.json(response, { token: 'confirm-token' });
		}
		if (what === 'apply_unchecked') {
			this.uci.commit();
			this.reload();

			return response.writeHead(204).end();
		}
		if (what === 'confirm') {
			/* Nothing to confirm any more: it was taken back. */
			if (!this.undo)
				return response.writeHead(204).end();
			clearTimeout(this.timer);
			this.undo = null;

			return this.json(response, {});
		}
		this.uci.revert();

		return this.json(response, {});
	}

	/* ---- pages */

	async serve(request, response) {
		const url = new URL(request.url, this.url);
		const body = await new Promise((resolve) => {
			const pieces = [];
			request.on('data', (piece) => pieces.push(piece));
			request.on('end', () => resolve(Buffer.concat(pieces).toString()));
		});
		const session = /(?:^|; )session=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'owner';

		if (this.unreachable)
			return request.socket.destroy();
		if (url.pathname.startsWith('/ubus')) {
			const asked = JSON.parse(body);
			const answers = [];
			for (const one of [ asked ].flat())
				answers.push(await this.rpc(one));

			return this.json(response, Array.isArray(asked) ? answers : answers[0]);
		}
		if (url.pathname.startsWith('/luci-static/'))
			return this.file(url.pathname.slice('/luci-static/'.length), response);

		const [ , page ] = /^\/cgi-bin\/luci\/admin\/(.*)$/.exec(url.pathname) ?? [];
		if (page?.startsWith('translations/'))
			return response.writeHead(200, { 'Content-Type': TYPES.js }).end(this.translations());
		if (page === 'menu')
			return this.json(response, this.menuTree());
		if (page?.startsWith('uci/'))
			return this.admin(page.slice(4), session, response);
		if (page?.startsWith('services/glacic/'))
			return response.writeHead(200, { 'Content-Type': 'text/html; charset=UTF-8' }).end(this.html(page, session));

		return response.writeHead(404).end();
	}

	json(response, value) {
		return response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
	}

	file(name, response) {
		for (const folder of this.folders) {
			const file = path.join(folder, name);
			if (file.startsWith(folder) && fs.existsSync(file) && fs.statSync(file).isFile())
				return response.writeHead(200, { 'Content-Type': TYPES[name.split('.').pop()] ?? 'application/octet-stream' })
					.end(fs.readFileSync(file));
		}

		return response.writeHead(404).end();
	}

	translations() {
		return this.lang === 'en' ? '' : script(readPo(path.join(APP, 'po', this.lang, 'glacic.po')));
	}

	menuTree() {
		const tree = { satisfied: true, children: {} };

		for (const [ name, node ] of Object.entries(this.menu)) {
			let place = tree;
			for (const part of name.split('/'))
				place = place.children[part] ??= { title: part, action: { type: 'firstchild' }, satisfied: true, children: {} };
			Object.assign(place, { title: node.title, action: node.action, order: node.order });
		}
		tree.children.admin.title = 'Administration';
		tree.children.admin.children.services.title = 'Services';

		return tree;
	}

	html(page, session) {
		const parts = [ 'admin', ...page.split('/') ];
		const view = this.menu[parts.join('/')].action.path;
		const env = {
			media: '/luci-static/bootstrap', resource: '/luci-static/resources', scriptname: '/cgi-bin/luci',
			pathinfo: `/${parts.join('/')}`, documentroot: '/www', requestpath: parts, dispatchpath: parts, pollinterval: 5,
			ubuspath: '/ubus/', sessionid: session, token: 'token',
			nodespec: { satisfied: true, readonly: !this.may(session, 'uci', 'glacic', 'write') },
			apply_rollback: this.rollback, apply_holdoff: 1, apply_timeout: 5, apply_display: 1.5, rollback_token: null
		};

		return `<!DOCTYPE html>
<html lang="${this.lang}">
<head>
	<meta charset="utf-8">
	<title>OpenWrt | Glacic</title>
	<script>
		var dark = window.matchMedia('(prefers-color-scheme: dark)'), root = document.documentElement;
		dark.addEventListener('change', function(e) { root.setAttribute('data-darkmode', e.matches) });
		root.setAttribute('data-darkmode', dark.matches);
	</script>
	<meta name="viewport" content="width=device-width, initial-scale=1">
	<link rel="icon" href="data:,">
	<link rel="stylesheet" href="/luci-static/bootstrap/cascade.css">
	<link rel="stylesheet" media="only screen and (max-device-width: 854px)" href="/luci-static/bootstrap/mobile.css">
	<script src="/cgi-bin/luci/admin/translations/${this.lang}"></script>
	<script src="/luci-static/resources/cbi.js"></script>
</head>
<body class="lang_${this.lang}">
	<header><a class="brand" href="/">OpenWrt</a><ul class="nav" id="topmenu" style="display:none"></ul><div id="indicators" class="pull-right"></div></header>
	<div id="maincontent" class="container">
		<div id="tabmenu" style="display:none"></div>
		<script src="/luci-static/resources/luci.js?v=1"></script>
		<script>L = new LuCI(${JSON.stringify(env).replaceAll('/', '\\/')});</script>
		<div id="view"><div class="spinning">Loading view…</div>
			<script>L.require('ui').then(function(ui) { ui.instantiateView('${view}') });</script>
		</div>
	</div>
	<footer><span>Powered by LuCI</span><ul class="breadcrumb pull-right" id="modemenu" style="display:none"></ul></footer>
	<script>L.require('menu-bootstrap')</script>
</body>
</html>
`;
	}
}
