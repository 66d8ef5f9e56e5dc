"""Packs what a package's Makefile has laid out, for opkg (.ipk) and for apk (.apk).

The scripts around a package's own are those of OpenWrt's buildroot: everything goes through default_postinst and
default_prerm of the router's /lib/functions.sh, which start services, run uci-defaults and know an upgrade from a removal.
"""

import argparse
import hashlib
import os
import re
import shutil
from pathlib import Path

import apk
import ipk

FUNCTIONS = '[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0\n. "${IPKG_INSTROOT}/lib/functions.sh"\n'
QUIET = '[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n'


class Layout:
    """What `make pack` has left: root/ and a file a fact."""

    def __init__(self, folder, arch):
        self.folder = folder
        fields = (field.partition(" ") for field in self.fact("fields").strip().split("|"))
        self.fields = {name: value.strip() for name, _, value in fields}
        self.arch = self.fields["PKGARCH"] or arch
        self.depends = sorted(word.lstrip("+") for word in self.fields["DEPENDS"].split() if not word.startswith("@"))
        self.description = self.fact("description").strip() or self.fields["TITLE"]
        self.conffiles = self.fact("conffiles").split()
        self.name, self.version = folder.name, self.fields["VERSION"]
        # What both opkg and apk sort as meant.
        if not re.fullmatch(r"\d+(\.\d+)*(_(alpha|beta|rc)\d*)?-r\d+", self.version):
            raise SystemExit(f"{self.name}: {self.version} is no version of a package")

    def fact(self, name):
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def script(self, name):
        """A script of the package's own, without its first line."""
        return "\n".join(line for line in self.fact(name).strip().splitlines() if not line.startswith("#!"))


def modes(root):
    """Whatever the umask of whoever packs: folders 755, files of the Makefile as install(1) has made them."""
    for place, folders, files in os.walk(root):
        os.chmod(place, 0o755)
        for name in files:
            path = Path(place, name)
            if not path.is_symlink() and path.stat().st_mode & 0o777 not in (0o755, 0o644, 0o600):
                raise SystemExit(f"{path}: unexpected mode {path.stat().st_mode & 0o777:o}")


def for_opkg(layout, root, time):
    files = {
        "postinst": (f"#!/bin/sh\n{QUIET}{FUNCTIONS}default_postinst $0 $@\n", 0o755),
        "prerm": (f"#!/bin/sh\n{FUNCTIONS}default_prerm $0 $@\n", 0o755),
    }
    if layout.conffiles:
        files["conffiles"] = ("".join(f"{path}\n" for path in layout.conffiles), 0o644)
    for script, name in (("preinst", "preinst"), ("postinst", "postinst-pkg"), ("prerm", "prerm-pkg"), ("postrm", "postrm")):
        if layout.script(script):
            files[name] = (f"#!/bin/sh\n{layout.script(script)}\n", 0o755)
    fields = [
        ("Package", layout.name),
        ("Version", layout.version),
        ("Depends", ", ".join(layout.depends)),
        ("Source", layout.fields["SOURCE"]),
        ("SourceName", layout.fields["SOURCE"]),
        ("License", layout.fields["LICENSE"]),
        ("Section", layout.fields["SECTION"]),
        ("Require-User", layout.fields["USERID"]),
        ("SourceDateEpoch", time),
        ("URL", layout.fields["URL"]),
        ("Maintainer", layout.fields["MAINTAINER"]),
        ("Architecture", layout.arch),
    ]
    return ipk.package(fields, layout.description, root, files, time)


def for_apk(layout, root, time):
    """apk keeps no list that a script could read, so the package brings it: without it no service is started."""
    folder = root / "lib/apk/packages"
    folder.mkdir(parents=True, exist_ok=True)
    found = [path for path in root.rglob("*") if path.is_symlink() or path.is_file()]
    listed = sorted((f"/{path.relative_to(root)}" for path in found), key=os.fsencode)
    if layout.fields["USERID"]:
        (folder / f"{layout.name}.rusers").write_text(f"{layout.fields['USERID']}\n")
    (folder / f"{layout.name}.list").write_text("".join(f"{path}\n" for path in listed))
    if layout.conffiles:
        (folder / f"{layout.name}.conffiles").write_text("".join(f"{path}\n" for path in layout.conffiles))
        sums = ""
        for path in layout.conffiles:
            file = root / path.lstrip("/")
            if file.is_file():
                sums += f"{path} {hashlib.sha256(file.read_bytes()).hexdigest()}\n"
        (folder / f"{layout.name}.conffiles_static").write_text(sums)
    modes(root)

    known = f'export root="${{IPKG_INSTROOT}}"\nexport pkgname="{layout.name}"\n'
    after = f"{QUIET}{FUNCTIONS}{known}add_group_and_user\ndefault_postinst\n{layout.script('postinst')}\n"
    scripts = {
        "post-install": f"#!/bin/sh\n{after}",
        "post-upgrade": f"#!/bin/sh\nexport PKG_UPGRADE=1\n{after}",
        "pre-deinstall": f"#!/bin/sh\n{FUNCTIONS}{known}default_prerm\n{layout.script('prerm')}\n",
    }
    if layout.script("preinst"):
        scripts["pre-install"] = f"#!/bin/sh\n{layout.script('preinst')}\n"
        scripts["pre-upgrade"] = f"#!/bin/sh\nexport PKG_UPGRADE=1\n{layout.script('preinst')}\n"
    if layout.script("postrm"):
        scripts["post-deinstall"] = f"#!/bin/sh\n{layout.script('postrm')}\n"
    facts = {
        "name": layout.name,
        "version": layout.version,
        "description": " ".join(layout.description.split()),
        "arch": "noarch" if layout.arch == "all" else layout.arch,
        "license": layout.fields["LICENSE"],
        "origin": layout.fields["SOURCE"],
        "maintainer": layout.fields["MAINTAINER"],
        "url": layout.fields["URL"],
    }
    return apk.package(facts, layout.depends, [], root, scripts, time)


def main():
    parser = argparse.ArgumentParser(description="packs the folders below OUT into DIST")
    parser.add_argument("out", type=Path)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--arch", default=["all"], nargs="+", help="OpenWrt's names of architectures")
    parser.add_argument("--time", type=int, required=True, help="SOURCE_DATE_EPOCH")
    arguments = parser.parse_args()
    arguments.dist.mkdir(parents=True, exist_ok=True)
    for folder in sorted(path for path in arguments.out.iterdir() if path.is_dir()):
        for arch in arguments.arch:
            layout = Layout(folder, arch)
            root = folder / "root"
            if (root / "lib/apk").exists():
                shutil.rmtree(root / "lib/apk")
            modes(root)
            short = "noarch" if layout.arch == "all" else layout.arch
            files = {f"{layout.name}_{layout.version}_{layout.arch}.ipk": for_opkg(layout, root, arguments.time)}
            files[f"{layout.name}-{layout.version}.{short}.apk"] = for_apk(layout, root, arguments.time)
            for name, data in files.items():
                (arguments.dist / name).write_bytes(data)
                print(f"{len(data):9}  {name}")


if __name__ == "__main__":
    main()
