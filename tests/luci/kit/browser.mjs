// Chromium, one context a session; every message of the console that is an error is kept for the test to judge.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const FLAGS = [
	'--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--disable-extensions', '--no-proxy-server'
];

export class Browser {
	async start() {
		/* Nobody's profile: an empty folder, gone afterwards. */
		this.home = fs.mkdtempSync(path.join(os.tmpdir(), 'glacic-luci-'));
		this.browser = await chromium.launch({
			executablePath: CHROMIUM, headless: true, args: FLAGS, timeout: 120000,
			env: { ...process.env, HOME: this.home, XDG_CONFIG_HOME: this.home, XDG_CACHE_HOME: this.home }
		});
	}

	async stop() {
		await this.browser?.close();
		fs.rmSync(this.home, { recursive: true, force: true });
	}

	/* A page of a session; `faults` gathers what the console complained about. */
	async open(router, name, { session = 'owner', ready = '.cbi-map', init = null, argument = null, ...options } = {}) {
		const context = await this.browser.newContext({
			viewport: { width: 1280, height: 900 }, acceptDownloads: true, locale: 'en-GB', timezoneId: 'UTC', ...options
		});
		await context.addCookies([ { name: 'session', value: session, url: router.url } ]);
		const page = await context.newPage();

		page.setDefaultTimeout(60000);
		if (init)
			await page.addInitScript(init, argument);
		page.faults = [];
		page.on('pageerror', (e) => page.faults.push(`uncaught: ${e.stack ?? e}`));
		page.on('console', (message) => {
			if (message.type() === 'error')
				page.faults.push(`console: ${message.text()} (${message.location().url})`);
		});
		page.on('dialog', (dialog) => {
			page.faults.push(`dialog: ${dialog.message()}`);
			dialog.dismiss().catch(() => {});
		});
		await page.goto(router.page(name));
		if (ready)
			await page.waitForSelector(ready);

		return page;
	}
}
