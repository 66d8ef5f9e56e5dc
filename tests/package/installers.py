"""Ways to bring a package into the root and out again: as opkg and as apk do it, or by a real opkg or apk where one is given.

The first two follow the order of steps of opkg (prerm, files, postrm of the old one, postinst) and of apk (files, then one
script; another to remove), and what these do with a configuration that was edited.
"""

import hashlib
import shutil

import read_apk
import read_ipk

REAL = {"opkg": None, "apk": None}  # programs, set by run


class Unpack:
    """What opkg does, on one package."""

    suffix = ".ipk"

    def __init__(self, root):
        self.root = root
        self.info = root.path / "usr/lib/opkg/info"

    def script(self, package, name, action, upgrade):
        file = self.info / f"{package}.{name}"
        if file.exists():
            env = {"PKG_ROOT": "/", "PKG_UPGRADE": "1" if upgrade else "0"}
            self.root.sh(f"/usr/lib/opkg/info/{package}.{name} {action}", env=env)

    def install(self, file):
        fields, texts, members = read_ipk.read(file.read_bytes())
        package, conffiles = fields["Package"], texts.get("conffiles", "").split()
        upgrade = (self.info / f"{package}.list").exists()
        before = set()
        if upgrade:
            before = set((self.info / f"{package}.list").read_text().split())
            self.script(package, "prerm", f"upgrade {fields['Version']}", True)
        sums = {}
        for member, data in members:
            path = self.root.path / member.name.removeprefix("./")
            name = "/" + str(path.relative_to(self.root.path))
            if member.isdir():
                path.mkdir(exist_ok=True)
                continue
            if name in conffiles:
                sums[name] = hashlib.sha256(data).hexdigest()
                if path.exists() and not self.pristine(package, name):
                    path = path.with_name(path.name + "-opkg")
            if path.is_symlink() or path.exists():
                path.unlink()
            if member.issym():
                path.symlink_to(member.linkname)
            else:
                path.write_bytes(data)
                path.chmod(member.mode)
        after = {"/" + member.name.removeprefix("./") for member, _ in members if not member.isdir()}
        for gone in before - after:
            (self.root.path / gone.lstrip("/")).unlink(missing_ok=True)
        if upgrade:
            self.script(package, "postrm", f"upgrade {fields['Version']}", True)
        (self.info / f"{package}.list").write_text("".join(f"{name}\n" for name in sorted(after)))
        (self.info / f"{package}.sums").write_text("".join(f"{name} {each}\n" for name, each in sums.items()))
        for name, text in texts.items():
            (self.info / f"{package}.{name}").write_text(text)
            (self.info / f"{package}.{name}").chmod(0o755)
        (self.info / f"{package}.control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
        self.script(package, "postinst", "configure", upgrade)

    def pristine(self, package, name):
        sums = self.info / f"{package}.sums"
        known = dict(line.split() for line in sums.read_text().splitlines()) if sums.exists() else {}
        path = self.root.path / name.lstrip("/")
        return known.get(name) == hashlib.sha256(path.read_bytes()).hexdigest()

    def remove(self, package):
        self.script(package, "prerm", "remove", False)
        for name in (self.info / f"{package}.list").read_text().split():
            path = self.root.path / name.lstrip("/")
            if name.startswith("/etc/config/") and path.exists() and not self.pristine(package, name):
                continue
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root.path or any(folder.iterdir()):
                    break
                if len(folder.relative_to(self.root.path).parts) > 1:
                    folder.rmdir()
        self.script(package, "postrm", "remove", False)
        for file in self.info.glob(f"{package}.*"):
            file.unlink()


class UnpackApk:
    """What apk does, on one package. Everything below /etc is the owner's once it was edited."""

    suffix = ".apk"

    def __init__(self, root):
        self.root, self.installed = root, {}

    def script(self, scripts, kind, *versions):
        if kind in scripts:
            self.root.write("tmp/script", scripts[kind])
            self.root.sh(f"sh /tmp/script {' '.join(versions)}")

    def pristine(self, name, files):
        path = self.root.path / name
        return name in files and hashlib.sha256(path.read_bytes()).digest() == files[name].get("hash")

    def install(self, file):
        facts, scripts, files = read_apk.read(file.read_bytes())
        name, step = facts["name"], "upgrade" if facts["name"] in self.installed else "install"
        before = self.installed.get(name, (None, {}, {}))[2]
        self.script(scripts, f"pre-{step}", facts["version"])
        for place, each in files.items():
            path = self.root.path / place
            if "folder" in each:
                path.mkdir(exist_ok=True)
                continue
            if place.startswith("etc/") and path.exists() and not self.pristine(place, before):
                path = path.with_name(path.name + ".apk-new")
            path.unlink(missing_ok=True)
            if "link" in each:
                path.symlink_to(each["link"])
            else:
                path.write_bytes(each["data"])
                path.chmod(each["mode"])
        self.purge({place: each for place, each in before.items() if place not in files})
        self.installed[name] = facts, scripts, files
        self.script(scripts, f"post-{step}", facts["version"])

    def remove(self, package):
        facts, scripts, files = self.installed.pop(package)
        self.script(scripts, "pre-deinstall", facts["version"])
        self.purge(files)
        self.script(scripts, "post-deinstall", facts["version"])

    def purge(self, files):
        """Files, then the folders that are empty without them."""
        for place, each in reversed(files.items()):
            path = self.root.path / place
            if "folder" in each:
                if len(path.relative_to(self.root.path).parts) > 1 and path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
            elif not place.startswith("etc/") or not path.exists() or self.pristine(place, files):
                path.unlink(missing_ok=True)


class Real:
    """A program in the root. The packages that glacic depends on are made up: there is nothing in them."""

    NEEDS = ("firewall4", "kmod-nft-queue", "kmod-nfnetlink-log", "kmod-nf-conntrack-netlink")

    def __init__(self, root):
        self.root = root
        root.program(REAL[self.name], self.place)
        self.prepare()

    def give(self, file):
        (self.root.path / "tmp/packages").mkdir(exist_ok=True)
        shutil.copy(file, self.root.path / "tmp/packages" / file.name)
        return f"/tmp/packages/{file.name}"


class Opkg(Real):
    suffix, name, place = ".ipk", "opkg", "/bin/opkg"

    def prepare(self):
        (self.root.path / "etc/opkg.conf").write_text(
            "dest root /\nlists_dir ext /var/opkg-lists\noption overlay_root /overlay\narch all 1\narch x86_64 10\n")
        shutil.rmtree(self.root.path / "usr/lib/opkg")
        (self.root.path / "usr/lib/opkg").mkdir()
        (self.root.path / "var/lock").mkdir(exist_ok=True)
        status = "".join(
            f"Package: {name}\nVersion: 1\nStatus: install user installed\nArchitecture: all\n\n" for name in self.NEEDS)
        (self.root.path / "usr/lib/opkg/status").write_text(status)

    def install(self, file):
        self.root.sh(f"opkg install {self.give(file)}")

    def remove(self, package):
        self.root.sh(f"opkg remove {package}")


class Apk(Real):
    suffix, name, place = ".apk", "apk", "/sbin/apk"

    def prepare(self):
        import sys

        sys.path.insert(0, str(self.root.pack))
        import apk

        empty = self.root.path / "tmp/empty"
        empty.mkdir()
        names = ""
        for name in self.NEEDS:
            (self.root.path / f"tmp/{name}.apk").write_bytes(
                apk.package({"name": name, "version": "1-r0", "arch": "noarch"}, [], [], empty, {}, 0))
            names += f" /tmp/{name}.apk"
        (self.root.path / "etc/apk").mkdir(parents=True)
        self.root.write("etc/apk/arch", "x86_64\n")
        self.apk("--initdb", "add", names)

    def apk(self, *words):
        return self.root.sh("apk --no-network --no-cache --allow-untrusted " + " ".join(words))

    def install(self, file):
        self.apk("add", self.give(file))

    def remove(self, package):
        self.apk("del", package)


def ways():
    """Those that were asked for."""
    return [Unpack, UnpackApk] + [way for way in (Opkg, Apk) if REAL[way.name]]
