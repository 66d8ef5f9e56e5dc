// The home of scripts/home, seen from its router: the daemon, the plugin as rpcd would call it, the camera's packets.

import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';

export const CONFIG = '/mnt/glacic.config';
export const LEASES = '/tmp/dhcp.leases';
export const PLUGIN = '/mnt/libexec/rpcd/glacic';
export const CAMERA = 'b8:27:eb:00:00:01';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Asks until there is an answer; `what` is said when there is none in time. */
export async function until(what, ask, seconds = 30) {
	const end = Date.now() + seconds * 1000;

	for (;;) {
		const answer = await ask();
		if (answer)
			return answer;
		if (Date.now() > end)
			throw new Error(`not within ${seconds} s: ${what}`);
		await sleep(100);
	}
}

/* One call of the plugin; resolves to ubus status and answer, as rpcd makes them of what it prints. */
export function plugin(method, message) {
	return new Promise((resolve, reject) => {
		const child = spawn(PLUGIN, method == null ? [ 'list' ] : [ 'call', method ], { stdio: [ 'pipe', 'pipe', 'ignore' ] });
		const pieces = [];

		child.on('error', reject);
		child.stdout.on('data', (piece) => pieces.push(piece));
		child.on('close', () => {
			let answer;
			try { answer = JSON.parse(Buffer.concat(pieces).toString()) } catch { answer = null }
			const isObject = answer !== null && typeof answer === 'object' && !Array.isArray(answer);
			resolve(isObject ? [ 0, answer ] : [ 2 ]);
		});
		child.stdin.on('error', () => {});
		child.stdin.end(JSON.stringify(message ?? {}));
	});
}

/*
 * Milliseconds to grant on a machine that is busy with other things: none on one that starts a small program and reads
 * its answer within 15 ms, twenty times what it takes beyond that on others. Not a program of glacic's: what that takes
 * is what the tests ask.
 */
export async function grace() {
	const took = [];

	for (let i = 0; i < 7; i++) {
		const start = performance.now();
		await new Promise((resolve, reject) => {
			const child = spawn('cat', [], { stdio: [ 'pipe', 'pipe', 'ignore' ] });
			child.on('error', reject);
			child.stdout.resume();
			child.on('close', resolve);
			child.stdin.end('{}');
		});
		took.push(performance.now() - start);
	}

	return 20 * Math.max(0, took.sort((a, b) => a - b)[3] - 15);
}

/* The same, for tests: the answer, or an error. */
export async function ask(method, message) {
	const [ status, answer ] = await plugin(method, message);

	if (status !== 0 || answer.error)
		throw new Error(`${method}: ${JSON.stringify(answer ?? status)}`);

	return answer;
}

export class Daemon {
	constructor(log) {
		this.log = log;
	}

	async start(...flags) {
		const log = fs.openSync(this.log, 'a');

		this.child = spawn('/mnt/program', [ 'daemon', '--foreground', '--config', CONFIG, '--socket', '/run/glacic/control.sock',
			'--run-dir', '/run/glacic', ...flags ], { stdio: [ 'ignore', log, log ] });
		fs.closeSync(log);
		this.ended = new Promise((resolve) => this.child.on('exit', resolve));
		await this.ready();
	}

	/* Until its rules are in the kernel. */
	ready() {
		return until(`the daemon stands (${this.log})`, async () => {
			const [ , answer ] = await plugin('status');

			return answer && answer.ruleset === true;
		}, 60);
	}

	reload() {
		this.child.kill('SIGHUP');
	}

	async stop() {
		this.child?.kill('SIGTERM');
		await this.ended;
	}
}

/* Runs a command on a machine of the home (camera or server). */
export function on(machine, ...command) {
	const pid = fs.readFileSync(`/mnt/${machine}.pid`, 'utf8').trim();

	return [ 'nsenter', [ `--net=/proc/${pid}/ns/net`, ...command ] ];
}

export function run(machine, ...command) {
	const [ program, words ] = on(machine, ...command);

	return execFileSync(program, words, { encoding: 'utf8' });
}

/* What `send` of scripts/home says: whether a packet of the camera was answered. */
export function send(proto, port) {
	return new Promise((resolve) => {
		const child = spawn('/mnt/bin/send', [ proto, String(port) ], { stdio: [ 'ignore', 'pipe', 'ignore' ] });
		let text = '';

		child.stdout.on('data', (piece) => { text += piece });
		child.on('close', () => resolve(text.includes(': answered')));
	});
}
