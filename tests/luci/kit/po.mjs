// Translations: what the views say in English, what a .po file says instead, and the hashes LuCI looks them up by.

import fs from 'node:fs';
import path from 'node:path';

const unquote = (text) => JSON.parse(text);

/* Entries of a .po file: id, plural (or null), texts (one, or one a plural form). */
export function readPo(file) {
	const entries = [];
	let entry = null;
	let put = null;

	for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
		const m = /^(msgid|msgid_plural|msgstr(?:\[(\d)\])?) (".*")$/.exec(line);

		if (m) {
			if (m[1] === 'msgid')
				entries.push(entry = { id: '', plural: null, texts: [], fuzzy: false });
			const n = Number(m[2] ?? 0);
			put = m[1] === 'msgid' ? (t) => { entry.id += t }
				: m[1] === 'msgid_plural' ? (t) => { entry.plural = (entry.plural ?? '') + t }
					: (t) => { entry.texts[n] = (entry.texts[n] ?? '') + t };
			put(unquote(m[3]));
		}
		else if (/^".*"$/.test(line)) {
			put(unquote(line));
		}
		else if (/^#,.*\bfuzzy\b/.test(line)) {
			throw new Error(`${file}: a fuzzy entry is no translation: ${line}`);
		}
	}

	return entries;
}

/* Paul Hsieh's SuperFastHash, with the length as seed, as LuCI hashes what it translates. */
export function hash(text) {
	const bytes = Buffer.from(text, 'utf8');
	const word = (at) => bytes.readUInt16LE(at);
	let h = bytes.length >>> 0;
	let at = 0;

	for (; at + 4 <= bytes.length; at += 4) {
		h = (h + word(at)) >>> 0;
		h = ((h << 16) ^ ((word(at + 2) << 11) ^ h)) >>> 0;
		h = (h + (h >>> 11)) >>> 0;
	}
	switch (bytes.length - at) {
	case 3:
		h = (h + word(at)) >>> 0;
		h = (h ^ (h << 16)) >>> 0;
		h = (h ^ (bytes.readInt8(at + 2) << 18)) >>> 0;
		h = (h + (h >>> 11)) >>> 0;
		break;
	case 2:
		h = (h + word(at)) >>> 0;
		h = (h ^ (h << 11)) >>> 0;
		h = (h + (h >>> 17)) >>> 0;
		break;
	case 1:
		h = (h + bytes.readInt8(at)) >>> 0;
		h = (h ^ (h << 10)) >>> 0;
		h = (h + (h >>> 1)) >>> 0;
		break;
	}
	for (const [ left, right ] of [ [ 3, 5 ], [ 4, 17 ], [ 25, 6 ] ]) {
		h = (h ^ (h << left)) >>> 0;
		h = (h + (h >>> right)) >>> 0;
	}

	return h.toString(16).padStart(8, '0');
}

/* What LuCI's page `admin/translations/LANG` sends. */
export function script(entries) {
	const table = {};

	for (const { id, plural, texts } of entries) {
		if (id === '')
			table['00000000'] = /Plural-Forms: (.*)/.exec(texts[0])?.[1];
		else if (plural == null)
			table[hash(id)] = texts[0];
		else
			texts.forEach((text, n) => { table[hash(`${id}\u0002${n}`)] = text });
	}

	return `window.TR=${JSON.stringify(table)};`;
}

/* A string literal in single quotes at the start of a text: its value, and what follows. */
function literal(text) {
	const m = /^\s*'((?:\\.|[^'\\])*)'/.exec(text);

	return m ? { value: m[1].replace(/\\(.)/g, (all, c) => c === 'n' ? '\n' : c), rest: text.slice(m[0].length) } : null;
}

/* Every _('…') and N_(n, '…', '…') of a source text; a call that cannot be read is a fault. */
export function sayings(source, file) {
	const found = [];

	for (const m of source.matchAll(/(?<![\w$.])(_|N_)\(/g)) {
		let rest = source.slice(m.index + m[0].length);
		if (m[1] === 'N_')
			rest = rest.replace(/^[^,]*,/, '');
		const one = literal(rest);
		if (!one) {
			if (m[1] === '_' && /^info\.help\)/.test(rest))
				continue;
			throw new Error(`${file}: ${source.slice(m.index, m.index + 60)}: nothing but a literal can be translated`);
		}
		const two = m[1] === 'N_' ? literal(one.rest.replace(/^\s*,/, '')) : null;
		found.push({ id: one.value, plural: two ? two.value : null });
	}

	return found;
}

/* Where the help of the daemon's options comes from. */
export const HELP = 'glacic settings';

/* All that the app says: its views, its menu, and the help of the daemon's options. */
export function allSayings(app, settings) {
	const found = new Map();
	const add = ({ id, plural }, place) => {
		const entry = found.get(id) ?? { id, plural, places: [] };
		entry.plural ??= plural;
		if (!entry.places.includes(place))
			entry.places.push(place);
		found.set(id, entry);
	};
	const walk = (folder) => fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((e) =>
		e.isDirectory() ? walk(path.join(folder, e.name)) : [ path.join(folder, e.name) ]);

	for (const file of walk(path.join(app, 'htdocs')).filter((f) => f.endsWith('.js')))
		for (const saying of sayings(fs.readFileSync(file, 'utf8'), file))
			add(saying, path.relative(app, file));
	const menu = 'root/usr/share/luci/menu.d/luci-app-glacic.json';
	for (const node of Object.values(JSON.parse(fs.readFileSync(path.join(app, menu), 'utf8'))))
		add({ id: node.title, plural: null }, menu);
	const acl = 'root/usr/share/rpcd/acl.d/luci-app-glacic.json';
	for (const group of Object.values(JSON.parse(fs.readFileSync(path.join(app, acl), 'utf8'))))
		add({ id: group.description, plural: null }, acl);
	for (const option of settings.options)
		add({ id: option.help, plural: null }, HELP);

	return [ ...found.values() ];
}

export function template(entries) {
	const quote = (text) => JSON.stringify(text);
	const head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n';

	return head + entries.map((e) => '\n' + e.places.map((p) => `#: ${p}\n`).join('') + `msgid ${quote(e.id)}\n` +
		(e.plural == null ? 'msgstr ""\n' : `msgid_plural ${quote(e.plural)}\nmsgstr[0] ""\nmsgstr[1] ""\n`)).join('');
}
