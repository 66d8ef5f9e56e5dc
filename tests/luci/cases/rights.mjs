// Who may do what: a session with only the read ACL sees everything and changes nothing, tried call by call.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { begin, faults, flow } from '../kit/setup.mjs';
import { CAMERA, CONFIG, ask, plugin, send } from '../kit/home.mjs';
import { APP } from '../kit/router.mjs';

const PAGES = [ 'overview', 'pending', 'flows', 'devices', 'activity', 'settings' ];
const acl = JSON.parse(fs.readFileSync(path.join(APP, 'root/usr/share/rpcd/acl.d/luci-app-glacic.json'), 'utf8'))['luci-app-glacic'];

let home;
let methods;

before(async () => {
	home = await begin();
	await send('udp', 7001);
	await flow('the pending flow', (f) => f.port === 7001);
	methods = Object.keys((await plugin(null))[1]);
});
after(() => home?.end());

/* One JSON-RPC call as a session, past the pages. */
async function call(session, object, method, params = {}) {
	const response = await fetch(`${home.router.url}/ubus`, {
		method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'call', params: [ session, object, method, params ] })
	});

	return response.json();
}

test('the ACL names every method of the plugin once, nothing else, and grants nothing but ubus and uci', () => {
	const named = [ ...acl.read.ubus.glacic, ...acl.write.ubus.glacic ];

	assert.deepEqual(named.sort(), methods.sort());
	assert.deepEqual(acl.read.ubus.glacic.filter((name) => /_(allow|deny|forget|set)$/.test(name)), [], 'no change is a read');
	for (const part of [ acl.read, acl.write ]) {
		assert.deepEqual(Object.keys(part).sort(), [ 'ubus', 'uci' ], 'no file, no exec, no cgi-io');
		assert.deepEqual(Object.keys(part.ubus), [ 'glacic' ]);
		assert.deepEqual(part.uci, [ 'glacic' ]);
	}
});

test('with only the read ACL every read is answered and every write refused', async () => {
	const id = (await ask('flow_list')).flows[0].id;
	/* How each method is called so that it would be carried out. */
	const params = {
		status: {}, stats: {}, flow_list: {}, device_list: {}, activity: {}, event_list: {}, settings: {},
		flow_allow: { ids: [ id ] }, flow_deny: { ids: [ id ] }, flow_forget: { ids: [ id ] }, flow_get: { id },
		device_set: { device: CAMERA, name: 'mine' }, learning_set: { on: true }, check: { config: '' }
	};
	assert.deepEqual(Object.keys(params).sort(), methods.sort(), 'a method that this test does not try');
	const stand = async () => JSON.stringify([ (await ask('flow_list')).flows.map((f) => f.state),
		(await ask('device_list')).devices.map((d) => [ d.name, d.mode ]), (await ask('status')).learning ]);
	const before = await stand();
	const file = fs.readFileSync(CONFIG, 'utf8');

	for (const method of methods) {
		const answer = await call('guest', 'glacic', method, params[method]);
		if (acl.read.ubus.glacic.includes(method)) {
			assert.equal(answer.result?.[0], 0, `${method} is a read`);
			assert.equal(answer.result[1].error, undefined, `${method} is answered`);
		}
		else {
			assert.equal(answer.error?.code, -32002, `${method} is a write`);
		}
		assert.equal((await call('stranger', 'glacic', method, params[method])).error?.code, -32002, `${method} is nobody else's`);
	}
	for (const [ method, message ] of [
		[ 'set', { config: 'glacic', section: 'main', values: { enabled: '0' } } ], [ 'add', { config: 'glacic', type: 'device' } ],
		[ 'delete', { config: 'glacic', section: 'main' } ], [ 'apply', { rollback: false } ]
	])
		assert.equal((await call('guest', 'uci', method, message)).error?.code, -32002, `uci ${method}`);
	for (const what of [ 'apply_rollback', 'apply_unchecked', 'confirm', 'revert' ]) {
		const response = await fetch(`${home.router.url}/cgi-bin/luci/admin/uci/${what}`, { method: 'POST', headers: { cookie: 'session=guest' } });
		assert.equal(response.status, 403, what);
	}

	assert.equal(await stand(), before);
	assert.equal(fs.readFileSync(CONFIG, 'utf8'), file);
	/* The same calls are the owner's: had they been let through, they would have changed something. */
	for (const method of acl.write.ubus.glacic)
		assert.deepEqual(Object.keys((await call('owner', 'glacic', method, params[method])).result[1]).filter((key) => key === 'error'), [], method);
	assert.notEqual(await stand(), before);
	await ask('learning_set', { on: false });
	await send('udp', 7002);
	await flow('another pending flow', (f) => f.port === 7002);
});

test('its pages show everything, and every control that would change something is off', async () => {
	for (const name of PAGES) {
		const page = await home.browser.open(home.router, name, { session: 'guest' });

		await page.getByText('Your login may see everything here and change nothing.').waitFor();
		if (name === 'pending')
			await page.locator('tr[data-key]', { hasText: 'udp/7002' }).waitFor();
		if (name === 'flows') {
			await page.getByRole('button', { name: 'Details of udp/7002' }).click();
			await page.locator('tr.glacic-detail').getByText('Number').waitFor();
		}
		if (name === 'settings')
			await page.locator('[data-field="cbid.glacic.main.enabled"]').waitFor();
		const open = await page.evaluate(() => Array.from(document.querySelectorAll('#view button, #view select, #view input'))
			.filter((node) => !node.disabled && node.offsetParent && !node.closest('.glacic-tools, .glacic-pager') &&
				!node.matches('.glacic-plain, .glacic-sorter, .glacic-opener') && node.type !== 'hidden' && !node.closest('[disabled]'))
			.map((node) => node.outerHTML));
		assert.deepEqual(open, [], name);
		assert.deepEqual(faults(page), [], name);
		await page.context().close();
	}
});

test('where the page still thinks it may, the refusal is said', async () => {
	const page = await home.browser.open(home.router, 'pending');

	home.router.sessions.owner = [ 'read' ];
	await page.getByRole('button', { name: 'Allow udp/7002' }).click();
	await page.getByText('Your login may see this and not change it.').waitFor();
	home.router.sessions.owner = [ 'read', 'write' ];
	assert.equal((await flow('untouched', (f) => f.port === 7002)).state, 'pending');
	assert.deepEqual(faults(page), []);
	await page.context().close();
});
