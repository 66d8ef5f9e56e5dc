// What every group of tests begins with: the home's network as it must be, the daemon, the router's server, a browser.

import fs from 'node:fs';
import { execFileSync } from 'node:child_process';
import { Browser } from './browser.mjs';
import { Router } from './router.mjs';
import { CONFIG, Daemon, LEASES, ask, until } from './home.mjs';

export const BASIC = `config rule_learning 'main'
	option enabled '1'
	list interface 'br-lan'
	option database '/mnt/flows.db'
	option learning_mode '0'
	option rate_limit '1000/second'
`;

/* The configuration to begin with, and nothing in the database. */
export async function begin({ config = BASIC, lang = 'en', database = null, leases = '', rollback = 8 } = {}) {
	fs.writeFileSync(CONFIG, config);
	fs.writeFileSync(LEASES, leases);
	for (const end of [ '', '-wal', '-shm', '-journal' ])
		fs.rmSync(`/mnt/flows.db${end}`, { force: true });
	if (database)
		database('/mnt/flows.db');

	const daemon = new Daemon('/mnt/daemon.log');
	const router = new Router({ luci: process.env.LUCI_DIR || null, lang, rollback });
	const browser = new Browser();

	router.reload = () => daemon.reload();
	const end = async () => {
		await browser.stop();
		await router.close();
		await daemon.stop();
	};
	try {
		await Promise.all([ daemon.start(), browser.start() ]);
		await router.listen();
	} catch (e) {
		await end();
		throw e;
	}

	return { daemon, router, browser, end };
}

/* What the console complained about, less what a test expects. */
export function faults(page, ...expected) {
	return page.faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
}

/* The flow of the daemon that matches, once there is one. */
export function flow(what, matches) {
	return until(what, async () => (await ask('flow_list', { limit: 500 })).flows.find(matches));
}

/* A database of version 1, as it was released, with so many flows of so many devices. */
export function household(devices, flowsEach, state) {
	const standing = { pending: 0, allowed: 1, denied: 2 }[state] << 2;
	const schema = fs.readFileSync(new URL('../../../src/store/version_1.sql', import.meta.url), 'utf8').replace(/^INSERT .*\n/gm, '');

	return (file) => execFileSync('python3', [ '-c', `
import sqlite3, sys, time
file, schema, devices, each, standing = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
db = sqlite3.connect(file)
db.executescript(schema)
now = int(time.time())
for d in range(1, devices + 1):
    db.execute("INSERT INTO devices VALUES (?, ?, ?, 0, 'lan', ?)", (d, 0x021000000000 + d, "device-%d" % d, now - 90000))
    db.executemany("INSERT INTO flows VALUES (?, ?, ?, 0, ?, ?, ?, 0, ?)", (
        ((d - 1) * each + f + 1, d, 6 << 17 | (1 + f), standing, now - 80000 + d * each + f, now - f % 5000, 1 + f % 7) for f in range(each)))
db.execute("INSERT INTO life VALUES (1, 42, 50000, ?)", (devices * each + 1,))
db.commit()
`, file, schema, devices, flowsEach, standing ].map(String));
}
