'use strict';
'require baseclass';

/* Stand-in for LuCI's rpc.js: functions from declarations. Calls of one moment travel together, as there. */

let number = 1;
let waiting = [];

function flush() {
	const some = waiting;
	waiting = [];

	const body = JSON.stringify((some.length == 1) ? some[0].message : some.map((one) => one.message));

	window.fetch(L.env.ubuspath, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
		.then((response) => {
			if (!response.ok)
				throw new Error('RPC call failed with HTTP error ' + response.status + ': ' + response.statusText);

			return response.json();
		})
		.then((answers) => [ answers ].flat().forEach((answer, i) => some[i].settle(answer)))
		.catch((e) => some.forEach((one) => one.reject(e)));
}

return baseclass.extend({
	declare(options) {
		return (...args) => new Promise((resolve, reject) => {
			const params = {};
			(options.params || []).forEach((name, i) => { params[name] = args[i] });

			const what = options.object + '/' + options.method;
			const settle = (answer) => {
				if (answer.error)
					return reject(new Error('RPC call to ' + what + ' failed with error ' + answer.error.code + ': ' + answer.error.message));

				const [ status, value ] = answer.result;
				if (options.reject && status !== 0)
					return reject(new Error('RPC call to ' + what + ' failed with ubus code ' + status));

				let result = (answer.result.length > 1) ? value : status;
				for (let key in options.expect) {
					if (result != null && key != '')
						result = result[key];
					if (result == null || Object.prototype.toString.call(result) != Object.prototype.toString.call(options.expect[key]))
						result = options.expect[key];
				}
				resolve(result);
			};

			if (!waiting.length)
				window.setTimeout(flush, 0);
			waiting.push({
				settle, reject,
				message: { jsonrpc: '2.0', id: number++, method: 'call', params: [ L.env.sessionid, options.object, options.method, params ] }
			});
		});
	}
});
