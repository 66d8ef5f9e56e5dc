// Pictures of every page, wide and narrow, light and dark: tests/luci/run --screenshots FOLDER. What they show is a
// made-up household (kit/stage.mjs). Those named docs-… are the ones in docs/images.

import fs from 'node:fs';
import path from 'node:path';
import { Browser } from './kit/browser.mjs';
import { Router } from './kit/router.mjs';
import { stage } from './kit/stage.mjs';

const PAGES = [ 'overview', 'pending', 'flows', 'devices', 'activity', 'settings' ];
const WIDE = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, screen: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const LOOKS = [ 'light', 'dark' ].flatMap((colorScheme) => [
	[ `wide-${colorScheme}`, { ...WIDE, colorScheme } ], [ `phone-${colorScheme}`, { ...PHONE, colorScheme } ]
]);

const folder = path.resolve(process.env.SHOTS);
const router = new Router({ luci: process.env.LUCI_DIR || null, lang: process.env.SHOTS_LANG ?? 'en' });
const browser = new Browser();

async function shoot(name, file, options, { fullPage = true, clip } = {}) {
	const page = await browser.open(router, name, { ...options, ready: '.glacic' });

	await page.waitForTimeout(700);
	if (name === 'flows')
		await page.locator('.glacic-opener').nth(1).click();
	if (name === 'pending')
		await page.locator('tbody input[type=checkbox]').nth(1).check();
	await page.waitForTimeout(500);
	await page.screenshot({ path: path.join(folder, `${file}.png`), fullPage, clip });
	for (const fault of page.faults)
		console.error(`${file}: ${fault}`);
	await page.context().close();
}

fs.mkdirSync(folder, { recursive: true });
stage(router);
await router.listen();
await browser.start();
for (const name of PAGES)
	for (const [ look, options ] of LOOKS)
		await shoot(name, `${name}-${look}`, options);
await shoot('pending', 'docs-luci-pending', { viewport: { width: 1280, height: 720 }, colorScheme: 'light' }, { fullPage: false });
await shoot('overview', 'docs-luci-overview', { ...PHONE, deviceScaleFactor: 1.5, colorScheme: 'dark' }, { fullPage: false });
await browser.stop();
await router.close();
