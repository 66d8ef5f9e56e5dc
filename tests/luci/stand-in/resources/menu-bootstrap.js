'use strict';
'require baseclass';
'require ui';

/* Stand-in for the theme's menu: the tabs of the app. */

return baseclass.extend({
	__init__() {
		ui.menu.load().then((tree) => {
			const node = L.env.dispatchpath.slice(0, 3).reduce((place, part) => place.children[part], tree);
			const tabs = document.getElementById('tabmenu');

			L.dom.content(tabs, E('ul', { 'class': 'tabs' }, Object.keys(node.children).map((name) => E('li', {
				'class': (name == L.env.dispatchpath[3]) ? 'active' : ''
			}, [ E('a', { 'href': L.url(L.env.dispatchpath.slice(0, 3), name) }, [ _(node.children[name].title) ]) ]))));
			tabs.style.display = '';
		});
	}
});
