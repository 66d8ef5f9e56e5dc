'use strict';

/*
 * Stand-in for the part of LuCI's runtime that the views use, for tests where there is no LuCI at hand. What it has
 * behaves as LuCI's does as far as the views can tell: the same tests run with a LuCI checkout (LUCI_DIR).
 * This file: translation and formatting of strings.
 */

function sfh(text) {
	const bytes = new TextEncoder().encode(text);
	const word = (at) => bytes[at] | (bytes[at + 1] << 8);
	const signed = (at) => (bytes[at] << 24) >> 24;
	const rest = bytes.length & 3;
	let h = bytes.length >>> 0;
	let at = 0;

	for (; at + 4 <= bytes.length; at += 4) {
		h = (h + word(at)) >>> 0;
		h = ((h << 16) ^ ((word(at + 2) << 11) ^ h)) >>> 0;
		h = (h + (h >>> 11)) >>> 0;
	}
	if (rest == 3) {
		h = (h + word(at)) >>> 0;
		h = (h ^ (h << 16)) >>> 0;
		h = (h ^ (signed(at + 2) << 18)) >>> 0;
		h = (h + (h >>> 11)) >>> 0;
	}
	else if (rest == 2) {
		h = (h + word(at)) >>> 0;
		h = (h ^ (h << 11)) >>> 0;
		h = (h + (h >>> 17)) >>> 0;
	}
	else if (rest == 1) {
		h = (h + signed(at)) >>> 0;
		h = (h ^ (h << 10)) >>> 0;
		h = (h + (h >>> 1)) >>> 0;
	}
	for (let [ left, right ] of [ [ 3, 5 ], [ 4, 17 ], [ 25, 6 ] ]) {
		h = (h ^ (h << left)) >>> 0;
		h = (h + (h >>> right)) >>> 0;
	}

	return h.toString(16).padStart(8, '0');
}

function _(text) {
	return (window.TR && window.TR[sfh(String(text).trim())]) || text;
}

function N_(n, one, many) {
	const rule = (window.TR && window.TR['00000000']) || 'plural=(n != 1);';
	const form = Number(new Function('n', 'let nplurals, plural; ' + rule + '; return plural')(n));

	return (window.TR && window.TR[sfh(one.trim() + '\u0002' + form)]) || (form ? many : one);
}

String.prototype.format = function(...values) {
	const escape = (text) => String(text).replace(/[&<>"']/g, (c) => '&#' + c.charCodeAt(0) + ';');

	return this.replace(/%(?:0?(\d+))?([sdfh%])/g, (all, width, kind) => {
		if (kind == '%')
			return '%';
		const value = values.shift();
		if (kind == 'd')
			return String(Math.trunc(+value || 0)).padStart(width || 0, '0');

		return (kind == 'f') ? String(+value) : (kind == 'h') ? escape(value) : String(value);
	});
};
