"""A router's root folder: busybox, the package's surroundings as stand-ins, nft, and a network namespace around it.

With --openwrt DIR, rc.common, functions.sh, procd.sh, uci and what they need are taken from DIR instead, laid out as on a router.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from procd import Procd

HERE = Path(__file__).parent
REAL = None  # --openwrt, set by run
STANDINS = {
    "functions.sh": "lib/functions.sh",
    "config.sh": "lib/config.sh",
    "rc.common": "etc/rc.common",
    "procd.sh": "lib/functions/procd.sh",
    "ubus": "bin/ubus",
    "fw4": "sbin/fw4",
    "rpcd": "etc/init.d/rpcd",
}
FIREWALL = """
config zone
	option name 'lan'
	option input 'ACCEPT'
	list network 'lan'
	list device 'br-lan'

config zone
	option name 'iot'
	option input 'REJECT'
	list network 'iot'
	list device 'br-iot'

config zone
	option name 'wan'
	option masq '1'
	list network 'wan'
	list device 'wan0'

config zone
	option name 'vpn'
	list network 'vpn'

config forwarding
	option src 'lan'
	option dest 'wan'

config forwarding
	option src 'iot'
	option dest 'wan'
"""


class Root:
    """Must run in a network and a mount namespace of its own. `with Root() as root:` leaves nothing behind."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="glacic-root-"))
        # The daemon's user passes here too.
        self.path.chmod(0o755)
        for folder in ("bin", "sbin", "usr/sbin", "usr/bin", "usr/lib/opkg/info", "etc/config", "etc/init.d", "etc/rc.d", "proc",
                       "sys", "dev", "tmp", "var/run", "var/lock", "var/log", "lib/functions", "lib/apk", "root"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        self.busybox()
        self.program("/usr/sbin/nft")
        # OpenWrt's busybox has it, Debian's does not.
        self.program("/usr/bin/flock")
        for name, place in STANDINS.items():
            target = self.path / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / "openwrt" / name, target)
        if REAL:
            shutil.copytree(REAL, self.path, symlinks=True, dirs_exist_ok=True)
        self.write("etc/config/firewall", FIREWALL)
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/ash\nnobody:*:65534:65534:nobody:/var:/bin/false\n")
        self.write("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        for link in ("br-lan", "br-iot"):
            subprocess.run(["ip", "link", "add", link, "type", "bridge"], check=True)
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", self.path / "proc"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.path / "dev"], check=True)
        for device in ("null", "zero", "urandom", "random"):
            (self.path / "dev" / device).touch()
            subprocess.run(["mount", "--bind", f"/dev/{device}", self.path / "dev" / device], check=True)
        self.procd = Procd(self.path)
        self.sh("fw4 start")

    def busybox(self):
        self.program("/bin/busybox")
        names = subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split()
        for name in names:
            if name not in ("busybox", "modprobe", "insmod", "reboot", "poweroff", "halt", "init"):
                (self.path / "bin" / name).symlink_to("busybox")

    def program(self, path, place=None):
        """Copies a program with the libraries it names, to where it looks for them."""
        target = self.path / (place or path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not place or not target.exists():
            shutil.copy(path, target)
        listing = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+)", listing):
            copy = self.path / library.lstrip("/")
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, copy)

    def write(self, place, text):
        (self.path / place).write_text(text)

    def read(self, place):
        return (self.path / place).read_text()

    def sh(self, command, check=True, env=None):
        """Runs a line in the root's own shell."""
        done = subprocess.run(
            ["chroot", str(self.path), "/bin/ash", "-c", command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}, timeout=120,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}\n" + "\n".join(self.procd.lines))
        return done

    def nft(self, *words):
        return subprocess.run(["nft", *words], capture_output=True, text=True).stdout

    def tables(self):
        return sorted(line.removeprefix("table ") for line in self.nft("list", "tables").splitlines())

    def processes(self):
        """Pids of glacic in this root. A child that has not become another program yet is not one of its own."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "exe").removesuffix(" (deleted)") == str(self.path / "usr/sbin/glacic"):
                    found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass
        return [pid for pid, parent in found.items() if parent not in found]

    def edit(self, *changes):
        """Replaces text of the configuration; each must be there."""
        text = self.read("etc/config/glacic")
        for old, new in changes:
            assert old in text, f"{old} is not in the configuration"
            text = text.replace(old, new)
        self.write("etc/config/glacic", text)

    def until(self, condition, what):
        """Waits for something to come true, and gives it."""
        deadline = time.monotonic() + 60
        while not (found := condition()):
            if time.monotonic() > deadline:
                told = "\n".join(self.procd.lines) + "\n" + self.read("var/log/stderr")
                raise AssertionError(f"waited for a minute: {what}\n{told}")
            time.sleep(0.02)
        return found

    def stands(self):
        """The daemon answers and has its ruleset in the kernel."""
        return '"ruleset":true' in self.sh("glacic status --json", check=False).stdout.replace(" ", "")

    def log(self):
        return "\n".join(self.procd.lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.procd.close()
        for pid in self.processes():
            os.kill(pid, 9)
        subprocess.run(["nft", "flush", "ruleset"])
        for link in ("br-lan", "br-iot"):
            subprocess.run(["ip", "link", "del", link], stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-R", "-l", self.path / "dev", self.path / "proc"])
        shutil.rmtree(self.path)
