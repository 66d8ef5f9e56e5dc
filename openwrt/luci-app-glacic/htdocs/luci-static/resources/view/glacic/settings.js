'use strict';
'require view';
'require form';
'require uci';
'require ui';
'require glacic.rpc as glacic';
'require glacic.page as page';
'require glacic.shape as shape';
'require glacic.options as options';

/*
 * The configuration as a form, made of the daemon's own schema. Before anything is saved the daemon reads the whole
 * of what would become the file: what it refuses is not saved, what it warns about is asked about.
 */

function problems(list) {
	return page.problems(list, (option) => options.title(option));
}

/*
 * The sections as they would be saved. LuCI's uci.sections() still has options that were cleared and are not saved yet;
 * uci.get() knows that they go.
 */
function standing() {
	return uci.sections('glacic').map((section) => {
		const left = {};
		for (let key in section)
			left[key] = key.startsWith('.') ? section[key] : uci.get('glacic', section['.name'], key);

		return left;
	});
}

/* Whether these sections leave the owner's own way in to chance. */
function opensTheTrap(sections) {
	const main = sections.find((s) => s['.type'] == 'rule_learning') || {};

	return shape.isOn(main.enabled) && shape.isOn(main.guard_input) && main.anti_lockout != null && !shape.isOn(main.anti_lockout);
}

return view.extend({
	load() {
		return Promise.all([ glacic.settings(), uci.load('glacic') ]).then(([ schema ]) => {
			if (!uci.sections('glacic', 'rule_learning').length && !page.readonly())
				uci.add('glacic', 'rule_learning', 'main');

			return this.settle().then(() => schema);
		}).catch((e) => e);
	},

	/* What the daemon says to what is stored, so that it need not be said again; resolves to the errors. */
	settle() {
		const sections = standing();

		this.trapBefore = opensTheTrap(sections);

		return glacic.check(shape.toText(sections)).then((answer) => {
			const list = answer.problems || [];
			this.known = list.map((p) => p.message);

			return list.filter((p) => p.severity == 'error');
		});
	},

	render(schema) {
		if (schema instanceof Error) {
			const node = page.frame(_('Settings'), null, []);
			page.fail(schema);
			this.handleSave = this.handleSaveApply = this.handleReset = null;

			return node;
		}

		const of = (type) => (schema.options || []).filter((info) => info.section == type);
		const m = new form.Map('glacic');
		let s;

		s = m.section(form.TypedSection, 'rule_learning');
		s.anonymous = true;
		options.tabbed(s, of('rule_learning'));

		s = m.section(form.TableSection, 'device', _('Devices'),
			_('A name or a treatment of its own. What is set here cannot be changed on the page Devices.'));
		s.anonymous = true;
		s.addremove = true;
		options.columns(s, of('device'));

		s = m.section(form.TableSection, 'baseline', _('Allowed for everybody'),
			_('What every device may do, without being asked about and without a record.'));
		s.anonymous = true;
		s.addremove = true;
		options.columns(s, of('baseline'));

		this.map = m;

		return m.render().then((form_node) => {
			this.refused = E('div', { 'class': 'glacic-refused', 'role': 'alert', 'tabindex': -1 });

			return E('div', {}, [ page.frame(_('Settings'), null, []), this.refused, form_node ]);
		});
	},

	/* Says what went wrong, where the keyboard goes. */
	refuse(title, nodes) {
		L.dom.content(this.refused, E('div', { 'class': 'alert-message error' }, [ E('h4', {}, [ title ]), ...nodes ]));
		this.refused.focus();

		return false;
	},

	/* What the daemon says to the sections as they would be saved; resolves to whether to go on. */
	agree() {
		const sections = standing();

		L.dom.content(this.refused, []);

		return glacic.check(shape.toText(sections)).then((answer) => {
			const list = answer.problems || [];
			const errors = list.filter((p) => p.severity == 'error');
			const news = list.filter((p) => p.severity == 'warning' && !this.known.includes(p.message));

			if (errors.length)
				return this.refuse(_('The daemon would refuse this, so it was not saved'), [ problems(errors) ]);
			if (opensTheTrap(sections) && !this.trapBefore)
				return this.askTrap(news);

			return news.length ? page.ask(_('Save this?'), [ problems(news) ], _('Save')) : true;
		});
	},

	askTrap(news) {
		return page.ask(_('You may lock yourself out'), [
			E('p', {}, [ _('The router itself would be guarded, and SSH and LuCI would be flows like all others: allowed only if they were learned or you allow them.') ]),
			E('p', {}, [ _('After Save & Apply, LuCI takes the settings back by itself unless this browser reaches the router again. A connection that is open already proves little: open this page in a new window before you rely on it.') ]),
			problems(news)
		], _('I have another way in'), 'cbi-button-negative important');
	},

	/* Saves what the daemon agrees with; resolves to whether it did, and agrees with what is stored now. */
	store() {
		const no = {};
		const why = (e) => [ E('p', {}, [ '' + (e.message || e) ]) ];

		return this.map.save(() => this.agree().then((yes) => {
			if (!yes)
				throw no;
		}), true).then(() => this.settle().then(
			(errors) => errors.length ? this.refuse(_('Saved, but the daemon would refuse it'), [ problems(errors) ]) : true,
			(e) => this.refuse(_('Saved, but not checked'), why(e))
		), (e) => (e === no) ? false : this.refuse(_('Not saved'), why(e)));
	},

	handleSave(ev) {
		return this.store();
	},

	handleSaveApply(ev, mode) {
		return this.store().then((saved) => {
			if (saved)
				ui.changes.apply(mode == '0');
		});
	},

	handleReset(ev) {
		L.dom.content(this.refused, []);

		return this.map.reset();
	}
});
