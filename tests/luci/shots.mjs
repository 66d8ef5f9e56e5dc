// Pictures of every page, wide and narrow, light and dark, and of what pages look like when they are not as usual:
// tests/luci/run --screenshots FOLDER. What they show is a made-up household (kit/stage.mjs). Those named docs-… are
// the ones in docs/images.

import fs from 'node:fs';
import path from 'node:path';
import { Browser } from './kit/browser.mjs';
import { Router } from './kit/router.mjs';
import { flows, silent, stage, vacant } from './kit/stage.mjs';

const PAGES = [ 'overview', 'pending', 'flows', 'devices', 'activity', 'settings' ];
const WIDE = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 375, height: 812 }, screen: { width: 375, height: 812 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const LOOKS = Object.entries({ wide: WIDE, phone: PHONE }).flatMap(([ size, options ]) =>
	[ 'light', 'dark' ].map((colorScheme) => [ `${size}-${colorScheme}`, { ...options, colorScheme } ]));

const HOSTILE = '<img src=x onerror=alert(1)> "\'\u202egnp.exe ' + 'ä'.repeat(120);

/* What a picture shows: a page, what the router answers, and what is done before. */
const SCENES = [
	...PAGES.map((name) => ({ name })),
	...PAGES.filter((name) => name !== 'settings').map((name) => ({ name, as: 'empty', set: vacant })),
	...[ 'overview', 'flows' ].map((name) => ({ name, as: 'down', set: silent })),
	...[ 'overview', 'pending', 'settings' ].map((name) => ({ name, as: 'guest', session: 'guest' })),
	{ name: 'pending', as: 'long', set: (router) => stage(router, flows().map((f, i) => (i % 3 ? f : { ...f, device: HOSTILE, names: [ { name: HOSTILE, source: 'sni', confidence: 100 } ] }))) },
	{ name: 'pending', as: 'many', full: false, set: (router) => stage(router, many()) },
	{ name: 'pending', as: 'question', full: false, act: (page) => page.locator('.glacic-head .cbi-button-negative').first().click() },
	{ name: 'pending', as: 'said', full: false, act: (page) => page.locator('.glacic-act .cbi-button-positive').first().click() },
	{ name: 'devices', as: 'rename', full: false, act: (page) => page.locator('.glacic-act .cbi-button-neutral').first().click() }
];

const ACTS = {
	flows: (page) => page.locator('.glacic-opener').nth(1).click(),
	pending: (page) => page.locator('tbody input[type=checkbox]').nth(1).check()
};

/* Two thousand flows that wait. */
function many() {
	const [ some ] = flows();

	return Array.from({ length: 2000 }, (_, i) => ({ ...some, id: i + 1, state: 'pending', port: 1000 + i, service: null,
		mac: `02:00:00:00:00:${(i % 7 + 16).toString(16)}`, device: `device-${i % 7}`, first_seen: some.first_seen - i * 60, names: [] }));
}

const folder = path.resolve(process.env.SHOTS);
const wanted = new RegExp(process.env.SHOTS_ONLY ?? '');
const router = new Router({ luci: process.env.LUCI_DIR || null, lang: process.env.SHOTS_LANG ?? 'en' });
const browser = new Browser();

async function shoot(scene, file, options) {
	if (!wanted.test(file))
		return;

	router.replies.clear();
	(scene.set ?? stage)(router);
	const page = await browser.open(router, scene.name, { ...options, session: scene.session ?? 'owner', ready: '.glacic' });

	await page.waitForTimeout(700);
	await (scene.act ?? (scene.set || scene.session ? null : ACTS[scene.name]))?.(page);
	await page.waitForTimeout(500);
	await page.screenshot({ path: path.join(folder, `${file}.png`), fullPage: scene.full ?? true });
	for (const fault of page.faults)
		console.error(`${file}: ${fault}`);
	await page.context().close();
}

fs.mkdirSync(folder, { recursive: true });
await router.listen();
await browser.start();
for (const scene of SCENES)
	for (const [ look, options ] of LOOKS)
		await shoot(scene, [ scene.name, scene.as, look ].filter((word) => word).join('-'), options);
await shoot({ name: 'pending', full: false }, 'docs-luci-pending', { viewport: { width: 1280, height: 720 }, colorScheme: 'light' });
await shoot({ name: 'overview', full: false }, 'docs-luci-overview', { ...PHONE, deviceScaleFactor: 1.5, colorScheme: 'dark' });
await browser.stop();
await router.close();
