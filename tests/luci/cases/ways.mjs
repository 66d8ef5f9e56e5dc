// Keyboard alone, the daemon down and back, what is told of the last day, other languages, and narrow windows.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { begin, faults, flow } from '../kit/setup.mjs';
import { CAMERA, CONFIG, ask, send, until } from '../kit/home.mjs';
import fs from 'node:fs';
import { APP, Router } from '../kit/router.mjs';
import { allSayings, readPo } from '../kit/po.mjs';

const PAGES = [ 'overview', 'pending', 'flows', 'devices', 'activity', 'settings' ];

let home;

before(async () => {
	home = await begin();
	for (const port of [ 7001, 7002, 7003 ])
		await send('udp', port);
	await flow('all three', (f) => f.port === 7003);
});
after(() => home?.end());

test('Pending can be worked through with the keyboard alone', async () => {
	const page = await home.browser.open(home.router, 'pending', { ready: 'tr[data-key]' });
	const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
	const seen = [];

	/* Down to the first Allow by Tab; every stop on the way has a name. */
	for (let i = 0; i < 40 && !/^Allow udp\//.test(seen.at(-1) ?? ''); i++) {
		await page.keyboard.press('Tab');
		seen.push((await focused()).trim());
	}
	assert.match(seen.at(-1), /^Allow udp\/7003/, `newest first: ${seen.join(' | ')}`);
	assert.ok(seen.every((name) => name), 'every stop has a name');
	const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
	assert.notEqual(outline, 'none', 'the focus can be seen');

	await page.keyboard.press('Enter');
	await page.getByText('Allowed: udp/7003').waitFor();
	await until('the focus is on the next row\'s button', async () => /^Allow udp\/7002/.test(await focused()));
	await page.keyboard.press('Tab');
	assert.match(await focused(), /^Deny udp\/7002/);
	await page.keyboard.press('Enter');
	await page.getByText('Denied: udp/7002').waitFor();
	await until('the focus goes on', async () => /^Deny udp\/7001/.test(await focused()));

	/* Selecting, and a question that Escape answers with no. */
	await page.keyboard.press('Shift+Tab');
	await page.keyboard.press('Shift+Tab');
	assert.match(await focused(), /^Select udp\/7001/);
	await page.keyboard.press('Space');
	await page.getByText('1 selected').waitFor();
	await page.getByRole('button', { name: /^Deny all waiting/ }).focus();
	await page.keyboard.press('Enter');
	await page.getByRole('alertdialog').waitFor();
	for (const key of [ 'Tab', 'Tab', 'Tab', 'Shift+Tab', 'Shift+Tab' ]) {
		await page.keyboard.press(key);
		assert.match(await focused(), /^(Deny all|Cancel)$/, `${key} stays in the dialog`);
	}
	await page.keyboard.press('Escape');
	await page.getByRole('alertdialog').waitFor({ state: 'detached' });
	assert.match(await focused(), /^Deny all waiting/);
	await page.getByRole('button', { name: 'Allow selected' }).focus();
	await page.keyboard.press('Enter');
	await page.getByText('Nothing waits for a decision.').waitFor();
	const states = (await ask('flow_list')).flows.map((f) => `${f.port} ${f.state}`).sort();
	assert.deepEqual(states, [ '7001 allowed', '7002 denied', '7003 allowed' ]);
	assert.deepEqual(faults(page), []);
	await page.context().close();
});

test('learning is switched on Overview, for as long as the owner says', async () => {
	const page = await home.browser.open(home.router, 'overview');

	await page.getByText('glacic is on and enforcing').waitFor();
	await page.locator('#glacic-for').selectOption({ label: 'for an hour' });
	await page.getByRole('button', { name: 'Switch learning on' }).click();
	await page.getByText('glacic is on and learning').waitFor();
	const status = await ask('status');
	assert.ok(status.learning && status.learning_left > 3500 && status.learning_left <= 3600, JSON.stringify(status));
	await page.getByText(/Learning ends by itself in (59m|1h)/).waitFor();
	await page.getByRole('button', { name: 'Switch learning off' }).click();
	await page.getByText('glacic is on and enforcing').waitFor();
	assert.deepEqual(faults(page), []);
	await page.context().close();
});

test('a device\'s mode is set on Devices, and blocking asks first', async () => {
	const page = await home.browser.open(home.router, 'devices', { ready: 'tr[data-key]' });
	const mode = page.locator('tr[data-key] select');

	await mode.selectOption('trust');
	await page.getByText(': trust').waitFor();
	assert.equal((await ask('device_list')).devices[0].mode, 'trust');
	assert.equal(await send('udp', 9999), true);
	await mode.selectOption('block');
	await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
	assert.equal(await mode.inputValue(), 'trust');
	await mode.selectOption('block');
	await page.getByRole('alertdialog').getByRole('button', { name: 'Block' }).click();
	await page.getByText(': block').waitFor();
	assert.equal(await send('udp', 9999), false);
	await mode.selectOption('default');
	await page.getByText(': like all').waitFor();
	assert.deepEqual(faults(page), []);
	await page.context().close();
});

test('the detail of a flow says whether it passes now, and why', async () => {
	const page = await home.browser.open(home.router, 'flows', { ready: 'tr[data-key]' });
	const opener = page.getByRole('button', { name: 'Details of udp/7002' });
	const says = async (mode, text) => {
		await ask('device_set', { device: CAMERA, mode });
		await opener.click();
		await page.locator('.glacic-terms').getByText(text).waitFor();
		await opener.click();
	};

	await says('trust', 'its device is trusted, whatever was decided.');
	await says('block', 'its device is blocked, whatever was decided.');
	await says('default', 'you denied it.');
	assert.deepEqual(faults(page), []);
	await page.context().close();
});

/* Times are told by the router's clock, whatever the browser's says. */
test('a browser whose clock is wrong tells the right times', async () => {
	const page = await home.browser.open(home.router, 'flows', { ready: null, init: () => {
		const now = Date.now;
		Date.now = () => now() + 86400000;
	} });

	await page.locator('tr[data-key] .glacic-last').first().waitFor();
	for (const text of await page.locator('tr[data-key] time').allTextContents())
		assert.match(text, /^(now|(\d+m )?\d+[sm] ago)$/);
	await page.context().close();
});

test('another address on Flows is followed without loading anew', async () => {
	const page = await home.browser.open(home.router, 'flows', { ready: 'tr[data-key]' });

	await page.evaluate(() => { window.same = true; window.location.hash = '#state=denied' });
	await page.getByText('1–1 of 1').waitFor();
	assert.equal(await page.locator('#glacic-state').inputValue(), 'denied');
	assert.equal(await page.evaluate(() => window.same), true);
	await page.context().close();
});

test('Activity tells of the last day', async () => {
	const page = await home.browser.open(home.router, 'activity', { ready: '.glacic-chart' });

	await page.getByText('lost at a restart').waitFor();
	assert.ok(await page.locator('rect.glacic-bar-new').count() >= 1, 'the new flows of this test are a bar');
	await page.locator('.glacic-ranking').first().getByText('b8:27:eb:00:00:01').waitFor();
	await page.locator('.glacic-events').getByText('udp/7001').first().waitFor();
	await page.getByText('The same in figures').click();
	assert.ok(await page.locator('.glacic-figures tbody tr').count() >= 1);
	assert.deepEqual(faults(page), []);
	await page.context().close();
});

test('the template is what the app says, and German is complete', async () => {
	const entries = allSayings(APP, await ask('settings'));
	const pot = readPo(path.join(APP, 'po/templates/glacic.pot')).filter((e) => e.id !== '');
	const german = new Map(readPo(path.join(APP, 'po/de/glacic.po')).filter((e) => e.id !== '').map((e) => [ e.id, e ]));
	const holes = (text) => (text.match(/%[sdf%]/g) ?? []).sort().join();

	assert.deepEqual(pot.map((e) => e.id).sort(), entries.map((e) => e.id).sort(), 'the template is older than what the app says: run --template');
	assert.deepEqual([ ...german.keys() ].sort(), pot.map((e) => e.id).sort());
	for (const { id, plural } of entries) {
		const { texts, plural: theirs } = german.get(id);
		assert.equal(pot.find((e) => e.id === id).plural, plural, id);
		assert.equal(theirs, plural, id);
		assert.equal(texts.length, plural ? 2 : 1, id);
		for (const text of texts) {
			assert.ok(text, `empty: ${id}`);
			assert.equal(holes(text), holes(id), id);
		}
	}
});

/* German words are the longest. */
test('the pages speak German where LuCI does, no wider than a phone, and name every control for those who cannot see', async (t) => {
	const router = new Router({ luci: process.env.LUCI_DIR || null, lang: 'de' });
	const words = {
		overview: 'glacic ist an und', pending: 'Nichts wartet auf eine Entscheidung.', flows: 'Was jedes Gerät tut', devices: 'Zuletzt gesehen',
		activity: 'Neue Flüsse', settings: 'Ob glacic überhaupt etwas tut'
	};

	await router.listen();
	t.after(() => router.close());
	for (const name of PAGES) {
		const page = await home.browser.open(router, name, { viewport: { width: 375, height: 812 } });

		await page.getByText(words[name]).first().waitFor({ state: 'attached' });
		if (name === 'flows') {
			await page.locator('.glacic-opener').first().click();
			await page.locator('.glacic-terms').waitFor();
		}
		const [ wide, window ] = await page.evaluate(() => [ document.documentElement.scrollWidth, document.documentElement.clientWidth ]);
		assert.ok(wide <= window + 1, `${name}: ${wide} in ${window}`);
		const nameless = await page.evaluate(() => {
			const named = (node) => (node.getAttribute('aria-label') ?? '').trim() || node.textContent.trim() || node.title ||
				(node.id && document.querySelector(`label[for="${CSS.escape(node.id)}"]`)?.textContent.trim()) || node.closest('label')?.textContent.trim() ||
				node.closest('[data-title], .cbi-value')?.textContent.trim();

			return Array.from(document.querySelectorAll('.glacic button, .glacic select, .glacic input:not([type=hidden]), .glacic th, .glacic a, .glacic svg'))
				.filter((node) => !named(node) || (node.matches('th') && node.getAttribute('scope') !== 'col')).map((node) => node.outerHTML);
		});
		assert.deepEqual(nameless, [], name);
		assert.ok(await page.locator('[role=status][aria-live=polite]').count() >= 1, `${name}: what is done is said`);
		assert.deepEqual(faults(page), [], name);
		await page.context().close();
	}
});

test('a daemon that is slow is not said to be down', async () => {
	const page = await home.browser.open(home.router, 'overview', { ready: '.glacic-hero h3' });
	const trouble = page.locator('.glacic-trouble');

	home.daemon.child.kill('SIGSTOP');
	try {
		await trouble.getByText('glacic does not answer in time').waitFor();
		await trouble.getByText('This page asks again by itself.').waitFor();
		assert.equal(await page.getByText('glacic is not running').count(), 0);
		assert.equal(await trouble.getByRole('link').count(), 0, 'nothing is to be started');
		assert.equal(await page.locator('.glacic-content').getAttribute('aria-busy'), 'true');
	} finally {
		home.daemon.child.kill('SIGCONT');
	}
	await trouble.getByText('glacic does not answer in time').waitFor({ state: 'detached' });
	assert.deepEqual(faults(page), []);
	await page.context().close();
});

test('with the daemon down every page says so, goes grey, and comes back by itself', async () => {
	const pages = [];
	for (const name of PAGES.filter((p) => p !== 'settings'))
		pages.push(await home.browser.open(home.router, name, { ready: '.glacic-content' }));

	await home.daemon.stop();
	for (const page of pages) {
		await page.getByText('glacic is not running').waitFor();
		await page.getByText('service glacic start').waitFor();
		assert.equal(await page.locator('.glacic-content').getAttribute('aria-busy'), 'true');
	}
	/* A daemon that is not wanted is no trouble, and the way to switch it on is not a terminal. */
	const config = fs.readFileSync(CONFIG, 'utf8');
	fs.writeFileSync(CONFIG, config.replace("enabled '1'", "enabled '0'"));
	home.router.uci.revert();
	await pages[0].getByText('glacic is switched off').waitFor();
	await pages[0].locator('.glacic-trouble').getByRole('link', { name: 'Switch it on in Settings' }).waitFor();
	/* Nor does one start whose settings are refused: why is said. */
	const trouble = pages[0].locator('.glacic-trouble');
	fs.writeFileSync(CONFIG, config + "\toption max_flows 'many'\n\toption log_group '0'\n");
	home.router.uci.revert();
	await trouble.getByText('glacic is not running').waitFor();
	await trouble.getByText("option max_flows 'many'").waitFor();
	assert.equal(await trouble.getByRole('listitem').count(), 1, 'errors alone');
	await trouble.getByRole('link', { name: 'Correct them in Settings' }).waitFor();
	fs.writeFileSync(CONFIG, config);
	home.router.uci.revert();
	await trouble.getByRole('link', { name: 'Correct them in Settings' }).waitFor({ state: 'detached' });
	await trouble.getByText('glacic is not running').waitFor();
	await trouble.getByRole('link', { name: 'Start it under System, Startup' }).waitFor();

	const late = await home.browser.open(home.router, 'flows', { ready: '.glacic-trouble h4' });
	await late.getByText('glacic is not running').waitFor();
	const settings = await home.browser.open(home.router, 'settings', { ready: '.cbi-page-actions' });
	assert.deepEqual(faults(settings), [], 'settings need no daemon');

	await home.daemon.start();
	for (const page of [ ...pages, late ]) {
		await page.getByText('glacic is not running').waitFor({ state: 'detached' });
		assert.deepEqual(faults(page), []);
		await page.context().close();
	}
	await settings.context().close();
});
