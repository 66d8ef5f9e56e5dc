'use strict';
'require baseclass';

/* Flows as files for other programs: JSON as the daemon says it, CSV (RFC 4180) that a spreadsheet cannot run. */

const COLUMNS = [
	'id', 'device', 'mac', 'vendor', 'proto', 'port', 'service', 'destination', 'state', 'origin', 'zone',
	'first_seen', 'last_seen', 'decided', 'connections', 'packets', 'bytes', 'names', 'app'
];

function cell(flow, column) {
	const value = flow[column];

	if (value == null)
		return (column == 'port') ? 'any' : '';
	if (column == 'first_seen' || column == 'last_seen' || column == 'decided')
		return new Date(value * 1000).toISOString();
	if (column == 'names')
		return value.map((n) => n.name).join('; ');

	return '' + value;
}

/*
 * A cell that begins like a formula gets an apostrophe, which spreadsheets take for "this is text"; also behind what
 * cannot be seen, and in the full width of East Asian keyboards.
 */
const FORMULA = /^[\s\u0000-\u001f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/;

function quote(text) {
	const safe = FORMULA.test(text) ? "'" + text : text;

	return '"' + safe.replace(/"/g, '""') + '"';
}

return baseclass.extend({
	csv(flows) {
		const lines = [ COLUMNS.map(quote) ].concat(flows.map((flow) => COLUMNS.map((c) => quote(cell(flow, c)))));

		return '\ufeff' + lines.map((line) => line.join(',') + '\r\n').join('');
	},

	json(flows) {
		return JSON.stringify({ flows }, null, '\t') + '\n';
	},

	/* Hands a text to the browser as a file. */
	save(name, type, text) {
		const url = URL.createObjectURL(new Blob([ text ], { type }));
		const link = E('a', { 'href': url, 'download': name });

		document.body.appendChild(link);
		link.click();
		link.remove();
		window.setTimeout(() => URL.revokeObjectURL(url), 1000);
	}
});
