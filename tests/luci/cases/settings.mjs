// The configuration as a form: made of the daemon's schema, judged by the daemon, in force without a restart, and
// taken back by itself when the owner cannot reach the router any more.

import { after, before, beforeEach, afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { begin, faults } from '../kit/setup.mjs';
import { CONFIG, ask, until } from '../kit/home.mjs';

let home;
let page;
let schema;

before(async () => {
	home = await begin();
	schema = (await ask('settings')).options;
});
after(() => home?.end());
beforeEach(async () => { page = await home.browser.open(home.router, 'settings', { ready: '.cbi-page-actions' }) });
afterEach(async (t) => {
	if (process.env.SHOTS)
		await page.screenshot({ path: `${process.env.SHOTS}/${t.name.slice(0, 30).replace(/\W+/g, '-')}.png` });
	assert.deepEqual(faults(page, /net::ERR_|Failed to load resource/), []);
	await page.context().close();
	/* LuCI stages a section as soon as it is added: nothing of that is for the next test. */
	home.router.uci.revert();
});

const field = (name) => page.locator(`[data-field="cbid.glacic.main.${name}"]`);
const input = (name) => field(name).locator('input:not([type=hidden]), select').first();
const tab = (title) => page.locator('.cbi-tabmenu a', { hasText: title }).click();
const apply = () => page.locator('.cbi-page-actions .cbi-button-apply').click();
const file = () => fs.readFileSync(CONFIG, 'utf8');

test('every option of the schema is a field, with the daemon\'s help', async () => {
	for (const option of schema.filter((o) => o.section === 'rule_learning')) {
		assert.equal(await field(option.name).count(), 1, option.name);
		const text = await field(option.name).textContent();
		assert.ok(text.includes(option.help), option.name);
		assert.equal((text.match(/does nothing yet/gi) ?? []).length, option.asleep ? 1 : 0, option.name);
	}
	for (const type of [ 'device', 'baseline' ]) {
		await page.locator(`#cbi-glacic-${type} .cbi-button-add`).click();
		for (const option of schema.filter((o) => o.section === type))
			await page.locator(`#cbi-glacic-${type} [data-name="${option.name}"]`).first().waitFor();
	}
});

test('Save & Apply is in force without a restart', async () => {
	const { uptime } = await ask('status');
	const process = home.daemon.child.pid;

	await tab('Refusing');
	await input('fail_mode').selectOption('closed');
	await apply();
	await page.getByText('Configuration changes applied.').waitFor();
	await until('the daemon goes by it', async () => (await ask('status')).fail_mode === 'closed');
	const status = await ask('status');
	assert.ok(status.uptime >= uptime && home.daemon.child.pid === process && home.daemon.child.exitCode === null);
	assert.match(file(), /option fail_mode 'closed'/);
	assert.doesNotMatch(file(), /deny_with/, 'a default is not written');
	await page.waitForLoadState();
});

test('what was saved is what the form shows afterwards', async () => {
	await tab('Refusing');
	assert.equal(await input('fail_mode').inputValue(), 'closed');
	await tab('General');
	assert.equal(await input('learning_mode').isChecked(), false);
});

test('values the daemon would refuse are refused in the field', async () => {
	const before = file();
	const cases = {
		max_flows: [ '99', '100001', 'many', '-1' ], learning_period: [ '2w', '3651d', '1.5h' ], hold: [ '31s' ], mark: [ '0', '0x1ffffffff', 'red' ],
		rate_limit: [ '10', '10/week', '0/day' ], database: [ 'flows.db', '/etc/' ], flush_interval: [ '59s', '31d', '0' ]
	};
	const tabs = { max_flows: 'Limits', learning_period: 'General', hold: 'Refusing', mark: 'Advanced', rate_limit: 'Limits', database: 'Advanced', flush_interval: 'Advanced' };

	for (const [ name, values ] of Object.entries(cases)) {
		await tab(tabs[name]);
		const good = await input(name).inputValue();
		for (const value of values) {
			/* The page says no exactly when the daemon does. */
			const { ok } = await ask('check', { config: `config rule_learning 'main'\n\toption ${name} '${value}'\n` });
			assert.equal(ok, false, `${name} ${value}`);
			await input(name).fill(value);
			await input(name).blur();
			await page.locator(`[data-field="cbid.glacic.main.${name}"] .cbi-input-invalid`).waitFor();
		}
		await page.locator('.cbi-page-actions .cbi-button-save').click();
		await page.getByText('Not saved').waitFor();
		await page.getByText(/Expected: /).first().waitFor();
		await input(name).fill(good);
		await input(name).blur();
	}
	assert.equal(file(), before);
	assert.equal(home.router.uci.changes.length, 0);
});

test('the page takes what the daemon takes', async () => {
	const cases = { max_flows: [ '100', '100000' ], learning_period: [ '0', '14d', '90' ], mark: [ '16777216', '0xff' ], rate_limit: [ '1/day' ], flush_interval: [ '1m', '30d' ] };
	const tabs = { max_flows: 'Limits', learning_period: 'General', mark: 'Advanced', rate_limit: 'Limits', flush_interval: 'Advanced' };

	for (const [ name, values ] of Object.entries(cases)) {
		await tab(tabs[name]);
		for (const value of values) {
			const { problems } = await ask('check', { config: `config rule_learning 'main'\n\toption ${name} '${value}'\n` });
			assert.deepEqual(problems.filter((p) => p.severity === 'error' && p.message.includes('expected')), [], `${name} ${value}`);
			await input(name).fill(value);
			await input(name).blur();
			assert.equal(await page.locator(`[data-field="cbid.glacic.main.${name}"] .cbi-input-invalid`).count(), 0, `${name} ${value}`);
		}
	}
});

test('page and daemon judge every value alike', async () => {
	const values = [
		'0', '1', '2', '7', '16', '17', '30', '31', '59', '60', '99', '100', '255', '256', '500', '3650', '3651', '65535', '65536', '100000', '100001', '1000000', '1000001',
		'-1', '+1', '1.5', '01', '1e3', 'yes', 'no', 'on', 'off', 'true', 'ON', 'auto', 'guard', 'open', 'drop', 'service', 'learn', 'any', 'Any', '0s', '0d', '1s', '30s', '31s', '1m', '59s',
		'30d', '31d', '720h', '721h', '3650d', '3651d', '1w', '1h30m', '1 h', '1H', 's', '10/minute', '1/day', '0/day', '10/min', '10/', '/hour', '10 / hour', '4294967295/day', '4294967296/day',
		'0x1', '0x0', '0xFFFFFFFF', '0x100000000', '0X10', '0x', '0xg', '4294967295', '4294967296', '/', '/a', '/a/', '/etc/..', '/etc/.', '/.', 'a/b', 'flows.db', 'lan', 'my zone', 'br-lan', 'eth0.2', 'a@b',
		'a+b', 'br-*', '..', '.', '...', '$lan', 'é', '1234567890123456', 'z'.repeat(32), 'z'.repeat(33), 'ü'.repeat(63), 'ü'.repeat(64), 'Küche 🍋', ' tv ', "it's", '10.0.0.0/8', '10.0.0.0/33',
		'10.0.0', '010.0.0.1', '1.2.3.4', '256.1.1.1', '10.0.0.0/08', '10.0.0.0/008', '10.0.0.0/032', '::/064', '::/0064', '::/00128', '10.0.0.0/', '::', '::1', '::/0', '::/129', 'ff00::/8', '1::2::3', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:8::',
		'::ffff:1.2.3.4', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', ':1', '1:', ':::', 'fe80::1%eth0', '12345::', 'b8:27:eb:00:00:01', 'B8-27-EB-00-00-01', 'b8:27:eb:00:00', '01:00:5e:00:00:01', '00:00:00:00:00:00',
		'b8:27:eb-00:00:01', 'b8:27:eb:00:00:0', 'ff:ff:ff:ff:ff:ff'
	];
	/* Names of protocols are the daemon's to know; a name alone says nothing about a device without an address. */
	const options = schema.filter((o) => o.shape.kind !== 'proto');
	const mine = await page.evaluate(([ some, texts ]) => L.require('glacic.shape').then((shape) =>
		some.map((o) => texts.map((text) => shape.validate(o.shape, text) === true))), [ options, values ]);
	const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
	const differ = [];

	for (const [ v, value ] of values.entries()) {
		const line = (o) => `\t${o.list ? 'list' : 'option'} ${o.name} ${quoted(value)}\n`;
		const lines = (type) => options.filter((o) => o.section === type).map(line).join('');
		const { problems } = await ask('check', {
			config: `config rule_learning 'main'\n${lines('rule_learning')}config device\n${lines('device')}config baseline\n\toption proto 'tcp'\n${lines('baseline')}`
		});
		for (const [ o, option ] of options.entries()) {
			const theirs = !problems.some((p) => p.severity === 'error' && p.option === option.name && p.message.includes('expected'));
			/* Port 0 is refused for tcp, and for tcp alone: the page cannot know of the protocol beside it. */
			if (mine[o][v] !== theirs && !(option.shape.kind === 'port' && value === '0'))
				differ.push(`${option.name} ${value}: the page says ${mine[o][v]}`);
		}
	}
	assert.deepEqual(differ, []);
});

test('what only the whole file shows is refused in the daemon\'s own words', async () => {
	const before = file();

	await tab('Limits');
	await input('max_flows').fill('200');
	await input('max_flows_per_device').fill('300');
	await apply();
	await page.getByText('The daemon would refuse this, so it was not saved').waitFor();
	await page.getByText('one device could learn 300 flows, but all together only 200').waitFor();
	assert.equal(file(), before);
	assert.equal(home.router.uci.changes.length, 0, 'nothing is staged either');

	await input('max_flows_per_device').fill('100');
	await apply();
	await page.getByText('Configuration changes applied.').waitFor();
	assert.match(file(), /option max_flows '200'/);
	await page.waitForLoadState();
});

/* A file that a test begins with, as if it had always been there; the page shows it. */
async function begins(text) {
	fs.writeFileSync(CONFIG, text);
	home.router.uci.revert();
	await page.reload();
	await page.locator('.cbi-page-actions').waitFor();
}

test('what is checked has no option that was cleared', async () => {
	const before = file();

	/* With the limit that is cleared this would be refused. */
	await begins(`${before}\toption max_flows '2000'\n\toption max_flows_per_device '1500'\n`);
	await tab('Limits');
	await input('max_flows').fill('1200');
	await input('max_flows_per_device').fill('');
	await apply();
	await page.getByText('Configuration changes applied.').waitFor();
	assert.match(file(), /option max_flows '1200'/);
	assert.doesNotMatch(file(), /max_flows_per_device/);
	await page.waitForLoadState();

	/* With the address that is cleared this would be agreed to. */
	const text = `${before}\nconfig device\n\toption mac 'b8:27:eb:00:00:01'\n\toption name 'camera'\n`;
	await begins(text);
	await page.locator('#cbi-glacic-device [data-name=mac] input:not([type=hidden])').first().fill('');
	await apply();
	await page.getByText('The daemon would refuse this, so it was not saved').waitFor();
	assert.equal(file(), text);
	assert.equal(home.router.uci.changes.length, 0);
	fs.writeFileSync(CONFIG, before);
});

test('what was stored counts: where the daemon would refuse it, it is said and not applied', async () => {
	const { uci } = home.router;
	const before = file();

	/* Something else is stored at the same time, and the two do not go together. */
	uci.set = function(name, values) {
		Object.getPrototypeOf(this).set.call(this, name, { ...values, max_flows_per_device: '300' });
	};
	await tab('Limits');
	await input('max_flows').fill('200');
	await input('max_flows_per_device').fill('150');
	await apply();
	await page.getByText('Saved, but the daemon would refuse it').waitFor();
	await page.getByText('one device could learn 300 flows, but all together only 200').waitFor();
	delete uci.set;
	assert.ok(uci.changes.length > 0, 'it is stored');
	assert.equal(file(), before, 'and not applied');
});

test('a warning is asked about, and can be heeded', async () => {
	await tab('Listening');
	await input('log_group').fill('0');
	await page.locator('.cbi-page-actions .cbi-button-save').click();
	const dialog = page.getByRole('alertdialog');
	await dialog.getByText('group 0 is where other loggers listen by default').waitFor();
	await dialog.getByRole('button', { name: 'Cancel' }).click();
	await dialog.waitFor({ state: 'detached' });
	assert.equal(home.router.uci.changes.length, 0);
});

test('other words for a switch are understood, and kept', async () => {
	const before = file();

	home.router.uci.set('main', { inline_mode: 'off', guard_input: 'yes', names: 'disabled' });
	home.router.apply();
	await page.reload();
	await page.locator('.cbi-page-actions').waitFor();
	await tab('Refusing');
	assert.equal(await input('guard_input').isChecked(), true);
	await tab('Listening');
	assert.equal(await input('inline_mode').inputValue(), '0');
	assert.equal(await input('names').isChecked(), false);
	home.router.undo();
	assert.equal(file(), before);
});

test('a device and a baseline can be added', async () => {
	await page.locator('#cbi-glacic-device .cbi-button-add').click();
	const row = page.locator('#cbi-glacic-device tr[data-sid], #cbi-glacic-device .tr[data-sid]').last();
	await row.locator('[data-name=mac] input:not([type=hidden])').first().fill('b8:27:eb:00:00:01');
	await row.locator('[data-name=name] input:not([type=hidden])').first().fill('camera');
	await page.locator('#cbi-glacic-baseline .cbi-button-add').click();
	const base = page.locator('#cbi-glacic-baseline .tr[data-sid]').last();
	await base.locator('[data-name=proto] input:not([type=hidden])').first().fill('udp');
	await base.locator('[data-name=port] input:not([type=hidden])').first().fill('123');
	await apply();
	await page.getByText('Configuration changes applied.').waitFor();
	assert.match(file(), /config device\n\toption mac 'b8:27:eb:00:00:01'\n\toption name 'camera'/);
	assert.match(file(), /config baseline\n\toption proto 'udp'\n\toption port '123'/);
	await page.waitForLoadState();
});

test('who might lock themselves out is asked, and is let in again by the rollback', async () => {
	const before = file();

	await tab('Refusing');
	await input('guard_input').check();
	await input('anti_lockout').uncheck();
	await apply();
	const dialog = page.getByRole('alertdialog', { name: 'You may lock yourself out' });
	await dialog.getByRole('button', { name: 'Cancel' }).click();
	await dialog.waitFor({ state: 'detached' });
	assert.equal(file(), before);

	await apply();
	await dialog.getByRole('button', { name: 'I have another way in' }).click();
	await until('it was applied', () => file() !== before);
	assert.match(file(), /option anti_lockout '0'/);
	/* The router cannot be reached; it waits for a confirmation, and goes back when none comes. */
	home.router.unreachable = true;
	const applied = Date.now();
	await until('the old file is back', () => file() === before, 60);
	/* LuCI's own deadline passes a moment later: a router that answers before that counts as reached. */
	await until('LuCI has given up', () => Date.now() > applied + (home.router.rollback + 3) * 1000);
	home.router.unreachable = false;
	await page.getByText('Configuration changes have been rolled back!').waitFor({ timeout: 60000 });
	await until('the daemon goes by it', async () => (await ask('status')).ruleset);
	await page.getByRole('button', { name: 'Dismiss' }).click();
});
