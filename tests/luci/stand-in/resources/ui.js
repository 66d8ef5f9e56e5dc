'use strict';
'require baseclass';

/* Stand-in for LuCI's ui.js: the dialog, the menu, and the way settings are applied, confirmed and taken back. */

function post(what) {
	const form = new URLSearchParams({ sid: L.env.sessionid, token: L.env.token });

	return window.fetch(L.url('admin/uci', what), { method: 'POST', body: form }).catch(() => ({ status: 0 }));
}

let dialog = null;

const changes = {
	/* A word in the dialog, with buttons or without. */
	status(cls, children) {
		L.ui.showModal('', []).classList.add('alert-message', cls);
		L.dom.content(dialog.firstElementChild, children);
	},

	apply(checked) {
		changes.status('notice', [ E('p', {}, [ _('Starting configuration apply…') ]) ]);

		return post(checked ? 'apply_rollback' : 'apply_unchecked').then((response) => {
			if (response.status == (checked ? 200 : 204))
				return checked ? changes.confirm(Date.now() + L.env.apply_rollback * 1000) : changes.applied();
			if (response.status == 204) {
				changes.status('notice', [ E('p', {}, [ _('There are no changes to apply') ]) ]);
				window.setTimeout(() => L.ui.hideModal(), L.env.apply_display * 1000);
			}
			else {
				changes.status('warning', [ E('p', {}, [ _('Apply request failed with status'), ' ', response.status ]) ]);
			}
		});
	},

	applied() {
		changes.status('notice', [ E('p', {}, [ _('Configuration changes applied.') ]) ]);
		window.setTimeout(() => { window.location = window.location.href.split('#')[0] }, L.env.apply_display * 1000);
	},

	/* The router must be reached again before the deadline, or it takes the settings back. */
	confirm(deadline) {
		window.setTimeout(() => post('confirm').then((response) => {
			if (Date.now() >= deadline)
				return changes.rolledBack();
			if (response.status == 200 || response.status == 204)
				return changes.applied();
			changes.confirm(deadline);
		}), L.env.apply_holdoff * 1000);
	},

	rolledBack() {
		post('confirm').then((response) => {
			if (response.status != 204)
				return window.setTimeout(changes.rolledBack, 1000);
			changes.status('warning', [
				E('h4', {}, [ _('Configuration changes have been rolled back!') ]),
				E('button', { 'class': 'btn', 'click': () => L.ui.hideModal() }, [ _('Dismiss') ])
			]);
		});
	}
};

return baseclass.extend({
	changes,

	instantiateView(path) {
		const name = 'view.' + path.replace(/\//g, '.');

		return L.require(name).catch((e) => L.dom.content(document.getElementById('view'), [ E('pre', { 'class': 'alert-message error' }, [ '' + e ]) ]));
	},

	showModal(title, children) {
		this.hideModal();
		dialog = E('div', { 'id': 'modal_overlay' }, [ E('div', { 'class': 'modal', 'role': 'dialog', 'aria-modal': 'true' }) ]);
		L.dom.append(dialog.firstElementChild, title ? [ E('h4', {}, [ title ]) ] : []);
		L.dom.append(dialog.firstElementChild, children);
		document.body.appendChild(dialog);
		document.body.classList.add('modal-overlay-active');

		return dialog.firstElementChild;
	},

	hideModal() {
		if (dialog)
			dialog.remove();
		dialog = null;
		document.body.classList.remove('modal-overlay-active');
	},

	menu: {
		load: () => window.fetch(L.url('admin/menu')).then((response) => response.json())
	}
});
