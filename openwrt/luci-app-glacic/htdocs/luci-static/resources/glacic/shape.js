'use strict';
'require baseclass';

/*
 * What a value of an option looks like, as the daemon's schema (ubus call glacic settings) says it: whether a text
 * is one, and what was expected if not. The daemon reads the result once more before anything is saved.
 */

const UNITS = { d: 86400, h: 3600, m: 60, s: 1 };
const ON = [ '1', 'yes', 'on', 'true', 'enabled' ];
const OFF = [ '0', 'no', 'off', 'false', 'disabled' ];
/* The names are the daemon's to know. */
const PROTOCOL = /^[a-z][a-z0-9-]{0,31}$/i;

function number(text) {
	return /^[0-9]{1,15}$/.test(text) ? +text : null;
}

function duration(text) {
	const m = /^([0-9]{1,12})([dhms]?)$/.exec(text);

	return m ? +m[1] * (UNITS[m[2]] || 1) : null;
}

function shown(seconds) {
	for (let unit in UNITS)
		if (seconds && seconds % UNITS[unit] == 0)
			return seconds / UNITS[unit] + unit;

	return '' + seconds;
}

function ipv4(text) {
	const parts = text.split('.');

	return parts.length == 4 && parts.every((p) => /^(0|[1-9][0-9]{0,2})$/.test(p) && +p < 256);
}

function ipv6(text) {
	let left = text;
	let groups = 8;
	const tail = /^(.*:)([0-9.]+)$/.exec(text);

	if (tail && tail[2].includes('.')) {
		if (!ipv4(tail[2]))
			return false;
		left = tail[1].endsWith('::') ? tail[1] : tail[1].slice(0, -1);
		groups = 6;
	}

	const halves = left.split('::');
	const words = (half) => half ? half.split(':') : [];
	const all = halves.flatMap(words);

	return halves.length <= 2 && all.every((w) => /^[0-9a-f]{1,4}$/i.test(w)) &&
		(halves.length == 2 ? all.length < groups : all.length == groups);
}

function network(text) {
	const [ address, length, more ] = text.split('/');
	const bits = ipv4(address) ? 32 : ipv6(address) ? 128 : null;

	const digits = (bits == 32) ? /^[0-9]{1,2}$/ : /^[0-9]{1,3}$/;

	return bits != null && more == null && (length == null || (digits.test(length) && +length <= bits));
}

function mac(text) {
	const bytes = text.split(text.includes('-') ? '-' : ':');

	return bytes.length == 6 && bytes.every((b) => /^[0-9a-f]{2}$/i.test(b)) ? bytes.map((b) => parseInt(b, 16)) : null;
}

/* Every character of a name that is for people may be in it, but those that control terminals. */
function readable(text) {
	return !/[\u0000-\u001f\u007f-\u009f]/.test(text);
}

const KINDS = {
	switch: {
		ok: (s, text) => ON.includes(text) || OFF.includes(text),
		expected: () => _('0 or 1')
	},
	choice: {
		/* A choice between 0, 1 and more takes the words of a switch, too. */
		ok: (s, text) => s.values.includes(text) || (s.values.includes('0') && (ON.includes(text) || OFF.includes(text))),
		expected: (s) => _('one of %s').format(s.values.join(', '))
	},
	number: {
		ok: (s, text) => number(text) != null && number(text) >= s.min && number(text) <= s.max,
		expected: (s) => _('a number from %d to %d').format(s.min, s.max)
	},
	duration: {
		ok: (s, text) => {
			const seconds = duration(text);

			return seconds != null && ((s.zero && seconds == 0) || (seconds >= s.min && seconds <= s.max));
		},
		expected: (s) => s.zero
			? _('a duration such as 30s, 15m, 24h or 14d, from %s to %s, or 0 for none').format(shown(s.min), shown(s.max))
			: _('a duration such as 30s, 15m, 24h or 14d, from %s to %s').format(shown(s.min), shown(s.max))
	},
	rate: {
		ok: (s, text) => {
			const m = /^([0-9]{1,10})\/(second|minute|hour|day)$/.exec(text);

			return m != null && +m[1] > 0 && +m[1] <= 0xffffffff;
		},
		expected: () => _('a rate such as 10/minute (second, minute, hour or day)')
	},
	mask: {
		ok: (s, text) => /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) && +text > 0 && +text <= 0xffffffff,
		expected: () => _('bits of the packet mark such as 0x01000000, not 0')
	},
	text: {
		ok: (s, text) => {
			const length = Array.from(text.trim()).length;

			return length >= 1 && length <= s.max && readable(text.trim()) && !mac(text.trim());
		},
		expected: (s) => _('a name of 1 to %d characters that is no MAC address').format(s.max)
	},
	path: {
		ok: (s, text) => /^\/.*[^/]$/.test(text) && !/\/\.{1,2}$/.test(text) && readable(text),
		expected: () => _('an absolute path of a file, such as /etc/glacic/flows.db')
	},
	mac: {
		ok: (s, text) => {
			const bytes = mac(text);

			return bytes != null && !(bytes[0] & 1) && bytes.some((b) => b);
		},
		expected: () => _('the MAC address of one device, such as b8:27:eb:00:00:01')
	},
	zones: {
		ok: (s, text) => /^[a-z0-9_.-]{1,32}$/i.test(text),
		expected: () => _('the name of a firewall zone such as lan')
	},
	interfaces: {
		ok: (s, text) => /^[a-z0-9_.@+-]{1,15}$/i.test(text) && text != '.' && text != '..',
		expected: () => _('the name of a network interface such as br-lan')
	},
	networks: {
		ok: (s, text) => network(text),
		expected: () => _('a network such as 224.0.0.0/4 or ff00::/8, or an address')
	},
	proto: {
		ok: (s, text) => PROTOCOL.test(text) || (number(text) != null && number(text) <= 255),
		expected: () => _('a protocol such as tcp, udp, icmp or icmpv6, or a number from 0 to 255')
	},
	port: {
		ok: (s, text) => text == 'any' || (number(text) != null && number(text) <= 65535),
		expected: () => _('a port number (for ICMP a type) from 0 to 65535, or any')
	}
};

return baseclass.extend({
	/* true, or what was expected; kinds that are newer than this page are left to the daemon. */
	validate(shape, text) {
		const kind = KINDS[shape.kind];

		return (!kind || kind.ok(shape, '' + text)) ? true : _('Expected: %s').format(kind.expected(shape));
	},

	expected(shape) {
		return KINDS[shape.kind] ? KINDS[shape.kind].expected(shape) : '';
	},

	isOn(text) {
		return ON.includes('' + text);
	},

	/* A switch in the words of a form: 1 and 0 for all that means it, anything else as it is. */
	plain(text) {
		return ON.includes('' + text) ? '1' : OFF.includes('' + text) ? '0' : text;
	},

	/* Sections as LuCI's uci.sections() gives them, in the syntax of the file. */
	toText(sections) {
		const quote = (text) => "'" + ('' + text).replace(/'/g, "'\\''") + "'";
		const lines = [];

		for (let section of sections) {
			lines.push('config ' + section['.type'] + (section['.anonymous'] ? '' : ' ' + quote(section['.name'])));
			for (let key in section) {
				if (key.startsWith('.') || section[key] == null)
					continue;
				if (Array.isArray(section[key]))
					lines.push(...section[key].map((item) => '\tlist ' + key + ' ' + quote(item)));
				else
					lines.push('\toption ' + key + ' ' + quote(section[key]));
			}
			lines.push('');
		}

		return lines.join('\n');
	}
});
