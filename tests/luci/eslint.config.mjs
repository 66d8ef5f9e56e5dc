// The rules of LuCI's own repository for JavaScript and JSON, as they stood in August 2026, for the app; this
// folder's own files are modules for Node and get the recommended rules, with unknown and unused names as errors.

import { defineConfig } from 'eslint/config';
import globals from 'globals';
import js from '@eslint/js';
import json from '@eslint/json';

const readonly = (names) => Object.fromEntries(names.map((name) => [ name, 'readonly' ]));

/* What LuCI's runtime defines, and the names that 'require' lines bind. */
const luci = readonly([
	'_', 'N_', 'L', 'E', 'TR', 'baseclass', 'dom', 'form', 'poll', 'request', 'rpc', 'session', 'uci', 'ui', 'view',
	'glacic', 'fmt', 'page', 'table', 'decide', 'detail', 'files', 'shape', 'options'
]);

export default defineConfig([
	{ ignores: [ '**/node_modules/**' ] },
	{
		files: [ '**/luci-app-glacic/**/*.json', '**/tests/luci/package.json' ],
		plugins: { json },
		language: 'json/json',
		extends: [ 'json/recommended' ],
		rules: { 'json/no-duplicate-keys': 'error' }
	},
	{
		files: [ '**/luci-app-glacic/**/*.js', '**/tests/luci/stand-in/**/*.js' ],
		plugins: { js },
		extends: [ 'js/recommended' ],
		linterOptions: { reportUnusedDisableDirectives: 'off' },
		languageOptions: {
			sourceType: 'script',
			ecmaVersion: 2026,
			globals: { ...globals.browser, ...luci },
			parserOptions: { ecmaFeatures: { globalReturn: true } }
		},
		rules: {
			'strict': 0,
			'no-prototype-builtins': 0,
			'no-empty': 0,
			'no-undef': 'error',
			'no-unused-vars': [ 'off', { caughtErrors: 'none' } ],
			'no-regex-spaces': 0,
			'no-control-regex': 0
		}
	},
	{
		files: [ '**/tests/luci/**/*.mjs' ],
		plugins: { js },
		extends: [ 'js/recommended' ],
		languageOptions: { globals: { ...globals.node, ...globals.browser, L: 'readonly' } }
	}
]);
