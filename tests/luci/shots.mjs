// Screenshots of every page, wide and narrow, light and dark: tests/luci/run --screenshots FOLDER.

import fs from 'node:fs';
import path from 'node:path';
import { Browser } from './kit/browser.mjs';
import { Router } from './kit/router.mjs';
import { stage } from './kit/stage.mjs';

const PAGES = [ 'overview', 'pending', 'flows', 'devices', 'activity', 'settings' ];
const LOOKS = [
	[ 'wide-light', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' } ],
	[ 'wide-dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' } ],
	[ 'phone-light', { viewport: { width: 390, height: 844 }, screen: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2, colorScheme: 'light' } ],
	[ 'phone-dark', { viewport: { width: 390, height: 844 }, screen: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2, colorScheme: 'dark' } ]
];

const folder = path.resolve(process.env.SHOTS);
const only = (process.env.SHOTS_ONLY ?? '').split(',').filter(Boolean);
const router = new Router({ luci: process.env.LUCI_DIR || null, lang: process.env.SHOTS_LANG ?? 'en' });
const browser = new Browser();

fs.mkdirSync(folder, { recursive: true });
stage(router);
await router.listen();
await browser.start();
for (const name of PAGES)
	for (const [ look, options ] of LOOKS) {
		if (only.length && !only.some((word) => `${name}-${look}`.includes(word)))
			continue;
		const page = await browser.open(router, name, { ...options, ready: '.glacic' });

		await page.waitForTimeout(700);
		if (name === 'flows')
			await page.locator('.glacic-opener').nth(1).click();
		if (name === 'pending')
			await page.locator('tbody input[type=checkbox]').nth(1).check();
		await page.waitForTimeout(500);
		await page.screenshot({ path: path.join(folder, `${name}-${look}.png`), fullPage: true });
		for (const fault of page.faults)
			console.error(`${name}-${look}: ${fault}`);
		await page.context().close();
	}
await browser.stop();
await router.close();
