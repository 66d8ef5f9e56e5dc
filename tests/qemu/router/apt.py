"""apt with a state of its own, under the cache: the host's packages are neither read nor touched, and no root is needed.

It does the work (signatures, mirrors, proxies) for any architecture."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .fault import Fault

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Apt:
    def __init__(self, home: Path, architecture: str, suite: str, also: tuple[str, ...] = (), kinds: tuple[str, ...] = ("deb",)):
        """Packages of a suite, with its security updates, and of suites `also`; of sources too if `kinds` has `deb-src`."""
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise Fault(f"{program} is missing: guests are made from Debian packages (install apt and dpkg)")
        if not KEYRING.exists():
            raise Fault(f"{KEYRING} is missing (install debian-archive-keyring)")
        for folder in ("lists/partial", "cache/archives/partial"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        (home / "status").touch()
        mirror = os.environ.get("GLACIC_DEBIAN_MIRROR", MIRROR)
        security = os.environ.get("GLACIC_DEBIAN_SECURITY_MIRROR", SECURITY)
        places = [(mirror, suite), (security, f"{suite}-security"), *((mirror, other) for other in also)]
        (home / "sources.list").write_text(
            "".join(f"{kind} [signed-by={KEYRING}] {place} {name} main\n" for place, name in places for kind in kinds))
        settings = {
            "Dir::State": home, "Dir::State::lists": home / "lists", "Dir::State::status": home / "status",
            "Dir::Cache": home / "cache", "Dir::Etc::sourcelist": home / "sources.list", "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-", "Dir::Etc::preferencesparts": "-",
            "APT::Architecture": architecture, "APT::Architectures": architecture,
            # Downloads go into the cache of whoever runs this, which the user _apt may not enter.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        self._options = [f"-o{key}={value}" for key, value in settings.items()]

    def update(self) -> bool:
        """Whether every list of the mirror was to be had."""
        try:
            self.run("apt-get", "-q", "-oAcquire::Retries=3", "update")
        except Fault as fault:
            # One list of several may be missing while a mirror changes; what the others name is enough if it is complete.
            print(f"tests/qemu/run: going on with the lists that are there: {fault}", file=sys.stderr)
            return False
        return True

    def run(self, *command: str, folder: Path | str | None = None) -> str:
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run([*command, *self._options], env=environment, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Fault(f"{' '.join(command[:4])} … failed:\n{done.stderr.strip()}")
        return done.stdout

    def files(self, *command: str) -> list[str]:
        """The names of what such a command would download."""
        # Not what lies in the current folder already, which it leaves out.
        with tempfile.TemporaryDirectory() as empty:
            uris = self.run(*command, "--print-uris", folder=empty)
        return [line.split()[1] for line in uris.splitlines() if line.startswith("'")]
