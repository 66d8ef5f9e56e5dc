'use strict';
'require baseclass';
'require form';
'require glacic.shape as shape';

/*
 * Form fields from the daemon's schema. What an option is called for people and on which tab it stands is decided
 * here; an option this table does not know appears under its own name on the last tab.
 */

const TABS = [
	[ 'general', () => _('General'), [ 'enabled', 'learning_mode', 'learning_period', 'zone', 'interface', 'scope' ] ],
	[ 'refusing', () => _('Refusing'), [ 'placement', 'fail_mode', 'deny_with', 'hold', 'guard_input', 'anti_lockout', 'ignore_network' ] ],
	[ 'listening', () => _('Listening'), [ 'inline_mode', 'log_group', 'queues', 'names', 'names_group', 'reverse_dns' ] ],
	[ 'limits', () => _('Limits'), [ 'max_flows', 'max_flows_per_device', 'retention_days', 'cache_size', 'rate_limit' ] ],
	[ 'advanced', () => _('Advanced'), [ 'database', 'flush_interval', 'mark' ] ]
];

const TITLES = {
	enabled: () => _('Enabled'),
	learning_mode: () => _('Learning'),
	learning_period: () => _('Learning ends after'),
	zone: () => _('Guarded zones'),
	interface: () => _('Guarded interfaces'),
	scope: () => _('A decision is about'),
	placement: () => _('Placement'),
	fail_mode: () => _('When glacic cannot answer'),
	deny_with: () => _('Turn away by'),
	hold: () => _('Hold packets for the owner'),
	guard_input: () => _('Guard the router itself'),
	anti_lockout: () => _('Keep SSH and LuCI reachable'),
	ignore_network: () => _('Ignored networks'),
	inline_mode: () => _('Listen to'),
	log_group: () => _('Log group'),
	names_group: () => _('Log group of names'),
	queues: () => _('Queues'),
	names: () => _('Learn names of destinations'),
	reverse_dns: () => _('Ask reverse DNS'),
	max_flows: () => _('Flows at most'),
	max_flows_per_device: () => _('Flows of a device at most'),
	retention_days: () => _('Keep undecided flows (days)'),
	cache_size: () => _('Flows in memory'),
	rate_limit: () => _('Events of a device at most'),
	database: () => _('Database'),
	flush_interval: () => _('Write counters every'),
	mark: () => _('Packet mark'),
	mac: () => _('MAC address'),
	name: () => _('Name'),
	mode: () => _('Mode'),
	proto: () => _('Protocol'),
	port: () => _('Port')
};

const WORDS = {
	inline_mode: { 0: () => _('copies (log)'), 1: () => _('packets (queue)'), auto: () => _('packets while learning (auto)') },
	placement: { guard: () => _('guard: before the firewall'), fallback: () => _('fallback: behind the firewall') },
	fail_mode: { open: () => _('open: undecided flows pass'), closed: () => _('closed: undecided flows do not pass') },
	deny_with: { drop: () => _('silence (drop)'), reject: () => _('an answer (reject)') },
	scope: { service: () => _('a service, to any host'), destination: () => _('each destination') },
	mode: {
		'default': () => _('like all'), learn: () => _('learn'), enforce: () => _('enforce'),
		trust: () => _('trust'), block: () => _('block')
	}
};

function describe(info) {
	const parts = [ _(info.help) + '.' ];
	const value = Array.isArray(info.default) ? info.default.join(', ') : info.default;

	/* Where its help does not say so already. */
	if (info.asleep && !/does nothing yet$/i.test(info.help))
		parts.push(_('Does nothing yet.'));
	if (value && info.shape.kind != 'switch' && info.shape.kind != 'choice')
		parts.push(_('Without a value: %s.').format(value));

	return '%h'.format(parts.join(' '));
}

function make(section, tab, info, place) {
	const kind = info.shape.kind;
	const type = info.list ? form.DynamicList : (kind == 'switch') ? form.Flag : (kind == 'choice') ? form.ListValue : form.Value;
	const title = TITLES[info.name] ? TITLES[info.name]() : info.name;
	const o = tab
		? section.taboption(tab, type, info.name, title, describe(info))
		: section.option(type, info.name, title, place == 'table' ? null : describe(info));

	/* What is missing the daemon says: a required field would keep LuCI from adding another section meanwhile. */
	o.rmempty = true;
	/* OpenWrt has more words for a switch than LuCI, also where there is a third way. */
	if (kind == 'switch' || (kind == 'choice' && info.shape.values.includes('0')))
		o.load = function(section_id) {
			return Promise.resolve(type.prototype.load.call(this, section_id)).then(shape.plain);
		};
	if (kind == 'switch') {
		o.default = info.default || '0';

		return o;
	}
	if (kind == 'choice') {
		const words = WORDS[info.name] || {};

		if (info.default == null)
			o.value('', _('like all'));
		else
			o.default = info.default;
		for (let value of info.shape.values)
			o.value(value, words[value] ? words[value]() : value);
	}
	else if (info.default && !info.list) {
		o.placeholder = info.default;
	}
	else if (!info.default || info.list) {
		o.placeholder = { zones: 'lan', interfaces: 'br-lan', mac: 'b8:27:eb:00:00:01', proto: 'tcp', port: '443', networks: '224.0.0.0/4' }[kind];
	}
	o.validate = function(section_id, value) {
		const items = Array.isArray(value) ? value : [ value ];

		if (value == null || value === '')
			return true;
		for (let item of items) {
			const answer = shape.validate(info.shape, item);
			if (answer !== true)
				return answer;
		}

		return true;
	};

	return o;
}

return baseclass.extend({
	title(name) {
		return TITLES[name] ? TITLES[name]() : name;
	},

	/* Fields on tabs, for the main section. */
	tabbed(section, infos) {
		const byName = new Map(infos.map((info) => [ info.name, info ]));
		const placed = new Set(TABS.flatMap(([ , , names ]) => names));

		for (let [ tab, title, names ] of TABS) {
			const mine = names.filter((name) => byName.has(name)).map((name) => byName.get(name));
			if (tab == 'advanced')
				mine.push(...infos.filter((info) => !placed.has(info.name)));
			if (!mine.length)
				continue;
			section.tab(tab, title());
			for (let info of mine)
				make(section, tab, info);
		}
	},

	/* Fields in columns, for sections there can be many of. */
	columns(section, infos) {
		for (let info of infos)
			make(section, null, info, 'table');
	}
});
