// One UCI file as rpcd keeps it: what is stored, and what a session has changed and not applied yet.

import fs from 'node:fs';

/* A line's words: bare, in single or double quotes, and joined where they touch. */
function words(line) {
	const found = [];
	const pattern = /\s*(?:#.*$|((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"#\\])+))/gy;

	for (let m; (m = pattern.exec(line)) && m[1] != null;)
		found.push(m[1].replace(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g,
			(all, single, double, one) => single ?? double?.replace(/\\(.)/g, '$1') ?? one));

	return found;
}

export function parse(text) {
	const sections = [];

	for (const line of text.split('\n')) {
		const [ kind, name, value ] = words(line);
		const section = sections.at(-1);

		if (kind === 'config')
			sections.push({ type: name, name: value ?? null, options: {} });
		else if (kind === 'option')
			section.options[name] = value;
		else if (kind === 'list')
			(section.options[name] ??= []).push(value);
	}
	sections.forEach((section, i) => {
		section.anonymous = section.name == null;
		section.name ??= 'cfg%sff'.replace('%s', (i + 1).toString(16).padStart(4, '0'));
	});

	return sections;
}

export function format(sections) {
	const quote = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

	return sections.map((section) => [
		`config ${section.type}${section.anonymous ? '' : ' ' + quote(section.name)}`,
		...Object.entries(section.options).flatMap(([ key, value ]) => Array.isArray(value)
			? value.map((item) => `\tlist ${key} ${quote(item)}`) : [ `\toption ${key} ${quote(value)}` ])
	].join('\n') + '\n').join('\n');
}

export class Uci {
	constructor(file) {
		this.file = file;
		this.added = 0;
		this.revert();
	}

	revert() {
		this.sections = parse(fs.readFileSync(this.file, 'utf8'));
		this.changes = [];
	}

	section(name) {
		return this.sections.find((section) => section.name === name);
	}

	values() {
		return Object.fromEntries(this.sections.map((s, i) => [ s.name, {
			'.anonymous': s.anonymous, '.type': s.type, '.name': s.name, '.index': i, ...s.options
		} ]));
	}

	add(type, name, values) {
		const id = name ?? 'cfg%sfe'.replace('%s', (++this.added).toString(16).padStart(4, '0'));

		this.sections.push({ type, name: id, anonymous: name == null, options: { ...values } });
		this.changes.push([ 'add', id, type ]);
		for (const key in values)
			this.changes.push([ 'set', id, key, String(values[key]) ]);

		return id;
	}

	set(name, values) {
		Object.assign(this.section(name).options, values);
		for (const key in values)
			this.changes.push([ 'set', name, key, String(values[key]) ]);
	}

	delete(name, options) {
		if (options == null) {
			this.sections = this.sections.filter((section) => section.name !== name);
			this.changes.push([ 'remove', name ]);
		}
		for (const key of options ?? []) {
			delete this.section(name).options[key];
			this.changes.push([ 'remove', name, key ]);
		}
	}

	/* Writes what was changed to the file; gives the text that it had before. */
	commit() {
		const before = fs.readFileSync(this.file, 'utf8');

		fs.writeFileSync(this.file, format(this.sections));
		this.revert();

		return before;
	}
}
