"""Stands in for procd: what services are is told by ubus (two pipes below the root), processes are started in the root.

As procd does: a changed command starts a process anew, a changed file sends the reload signal, an instance that is not named
any more is ended, and what dies comes back.
"""

import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

# The pauses between a death and a new start are tenths of seconds here.
HURRY = 10


class Instance:
    def __init__(self, procd, settings):
        self.procd, self.settings = procd, settings
        self.files = self.fingerprint()
        self.process, self.wanted, self.deaths = None, True, 0
        self.start()

    def fingerprint(self):
        files = [self.procd.root / file.lstrip("/") for file in self.settings.get("file", [])]
        return [hashlib.sha256(file.read_bytes()).digest() if file.exists() else None for file in files]

    def start(self):
        root = str(self.procd.root)
        def enter():
            os.chroot(root)
            os.chdir("/")

        with open(self.procd.root / "var/log/stderr", "ab") as out:
            self.process = subprocess.Popen(
                self.settings["command"], preexec_fn=enter, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        threading.Thread(target=self.watch, args=(self.process,), daemon=True).start()

    def watch(self, process):
        process.wait()
        respawn = self.settings.get("respawn")
        if not self.wanted or not respawn:
            return
        self.deaths += 1
        retries = int(respawn[2])
        if retries and self.deaths > retries:
            return
        time.sleep(int(respawn[1]) / HURRY)
        if self.wanted and self.process is process:
            self.start()

    def running(self):
        return self.process.poll() is None

    def update(self, settings):
        changed = settings["command"] != self.settings["command"]
        self.settings = settings
        files, self.files = self.files, self.fingerprint()
        if not self.running():
            self.start()
        elif changed:
            self.end()
            self.wanted = True
            self.start()
        elif files != self.files:
            self.process.send_signal(settings["reload_signal"])

    def end(self):
        self.wanted = False
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(self.settings.get("term_timeout", 5))
            except subprocess.TimeoutExpired:
                self.process.kill()


class Procd:
    """Answers until the pipes go away with the root."""

    def __init__(self, root):
        self.root = root
        self.services, self.triggers, self.signals = {}, {}, []
        for name in ("procd.in", "procd.out"):
            os.mkfifo(root / "var/run" / name)
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind(str(root / "dev/log"))
        os.chmod(root / "dev/log", 0o666)
        self.lines = []
        self.over = False
        for work in (self.answer, self.listen):
            threading.Thread(target=work, daemon=True).start()

    def listen(self):
        """The system log."""
        self.log.settimeout(0.2)
        while not self.over:
            try:
                self.lines.append(self.log.recv(65536).decode(errors="replace"))
            except TimeoutError:
                pass
        self.log.close()

    def answer(self):
        while True:
            with open(self.root / "var/run/procd.in") as pipe:
                request = pipe.read()
            if self.over:
                return
            method, _, text = request.partition(" ")
            try:
                reply = getattr(self, method)(json.loads(text))
            except Exception as error:  # the other end waits for an answer
                reply = {"error": repr(error)}
            with open(self.root / "var/run/procd.out", "w") as pipe:
                pipe.write(json.dumps(reply) + "\n")

    def set(self, request):
        name, instances = request["name"], request.get("instances", {})
        self.triggers[name] = request.get("triggers", [])
        known = self.services.setdefault(name, {})
        for gone in set(known) - set(instances):
            # As procd: told to go, and not waited for.
            threading.Thread(target=known.pop(gone).end, daemon=True).start()
        for each, settings in instances.items():
            if each in known:
                known[each].update(settings)
            else:
                known[each] = Instance(self, settings)
        return {}

    def list(self, request):
        service = self.services.get(request["name"])
        if service is None:
            return {}
        return {request["name"]: {"instances": {name: {"running": each.running()} for name, each in service.items()}}}

    def delete(self, request):
        self.triggers.pop(request["name"], None)
        for instance in self.services.pop(request["name"], {}).values():
            threading.Thread(target=instance.end, daemon=True).start()
        return {}

    def signal(self, request):
        self.signals.append(request.get("signal", signal.SIGHUP))
        for instance in self.services.get(request["name"], {}).values():
            instance.process.send_signal(request.get("signal", signal.SIGHUP))
        return {}

    def pids(self):
        return [each.process.pid for service in self.services.values() for each in service.values() if each.running()]

    def give_up(self):
        """What dies from now on stays dead."""
        for service in self.services.values():
            for instance in service.values():
                instance.wanted = False

    def close(self):
        for service in list(self.services.values()):
            for instance in list(service.values()):
                instance.end()
        self.over = True
        with open(self.root / "var/run/procd.in", "w") as pipe:
            pipe.write("list {}")
