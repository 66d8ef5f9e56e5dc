"""That the packages are what opkg and apk take, the same in both formats, and the same however often they are made."""

import gzip
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import read_apk
import read_ipk

TREE = Path(__file__).resolve().parents[2]
DIST = None  # set by run
# Gone with the process.
SCRATCH = tempfile.TemporaryDirectory(prefix="glacic-package-")
SAME = {"Package": "name", "Version": "version", "License": "license", "Maintainer": "maintainer", "Source": "origin"}


def found(suffix):
    files = sorted(DIST.glob(f"*{suffix}"))
    assert files, f"there is no {suffix} in {DIST}"
    return files


def folder():
    return Path(tempfile.mkdtemp(dir=SCRATCH.name))


def program():
    """The program of this machine's package, in a file."""
    (file,) = DIST.glob("glacic_*_x86_64.ipk")
    out = folder() / "glacic"
    for member, data in read_ipk.read(file.read_bytes())[2]:
        if member.name == "./usr/sbin/glacic":
            out.write_bytes(data)
    out.chmod(0o755)
    return out


def package(*words, **environment):
    """Packs, and gives the folder."""
    dist = folder()
    command = [TREE / "scripts/package", "--dist", dist, *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    return dist


def two_versions():
    """This machine's package, and one with the next release number."""
    packages = {}
    newer = package("--program", program(), "--arch", "x86_64", "--release", "9")
    for suffix, pattern in ((".ipk", "glacic_*_x86_64.ipk"), (".apk", "glacic-[0-9]*.x86_64.apk")):
        (packages["old", suffix],) = DIST.glob(pattern)
        (packages["new", suffix],) = newer.glob(pattern)
    return packages


class Formats(unittest.TestCase):
    def test_every_ipk_is_one(self):
        for file in found(".ipk"):
            with self.subTest(file.name):
                fields, texts, _ = read_ipk.read(file.read_bytes())
                self.assertEqual(file.name, f"{fields['Package']}_{fields['Version']}_{fields['Architecture']}.ipk")
                self.assertIn("default_postinst $0 $@", texts["postinst"])
                self.assertIn("default_prerm $0 $@", texts["prerm"])

    def test_every_apk_is_one(self):
        for file in found(".apk"):
            with self.subTest(file.name):
                facts, scripts, files = read_apk.read(file.read_bytes())
                self.assertEqual(file.name, f"{facts['name']}-{facts['version']}.{facts['arch']}.apk")
                self.assertIn("default_postinst\n", scripts["post-install"])
                self.assertIn("export PKG_UPGRADE=1\n", scripts["post-upgrade"])
                self.assertIn("default_prerm\n", scripts["pre-deinstall"])
                listed = files[f"lib/apk/packages/{facts['name']}.list"]["data"].decode().split()
                there = [f"/{path}" for path, file in files.items() if "folder" not in file and "lib/apk/" not in path]
                self.assertEqual(sorted(listed), sorted(there), "the list that default_postinst goes by")

    def test_both_formats_hold_the_same(self):
        self.assertEqual(len(found(".ipk")), len(found(".apk")))
        for file in found(".ipk"):
            fields, texts, members = read_ipk.read(file.read_bytes())
            arch = fields["Architecture"].replace("all", "noarch")
            facts, _, files = read_apk.read((DIST / f"{fields['Package']}-{fields['Version']}.{arch}.apk").read_bytes())
            with self.subTest(file.name):
                for ours, theirs in SAME.items():
                    self.assertEqual(fields[ours], facts[theirs])
                self.assertEqual([name for name in fields.get("Depends", "").split(", ") if name], facts["depends"])
                one = {m.name.strip("./"): (m.mode, m.linkname, data) for m, data in members}
                other = {path: (f["mode"], f.get("link", ""), f.get("data", b"")) for path, f in files.items()}
                self.assertLessEqual(one.items(), other.items())
                self.assertEqual([path for path in other if path not in one and not f"{path}/".startswith("lib/")], [])
                self.assertEqual([path for path in other if path.startswith("lib/") and path not in one and "apk" not in path], [])
                conffiles = files.get(f"lib/apk/packages/{fields['Package']}.conffiles", {"data": b""})["data"]
                self.assertEqual(conffiles.decode(), texts.get("conffiles", ""))

    def test_every_package_says_whose_it_is(self):
        for file in found(".ipk"):
            fields = read_ipk.read(file.read_bytes())[0]
            self.assertEqual((fields["Maintainer"], fields.get("URL")), ("The glacic authors", None), file.name)

    def test_glacic_depends_on_what_it_needs_and_has_what_a_router_looks_for(self):
        for file in DIST.glob("glacic_*.ipk"):
            fields, texts, members = read_ipk.read(file.read_bytes())
            with self.subTest(file.name):
                self.assertEqual(fields["Depends"], "firewall4, kmod-nf-conntrack-netlink, kmod-nfnetlink-log, kmod-nft-queue")
                self.assertEqual(texts["conffiles"].split(), ["/etc/config/glacic"])
                modes = {member.name: member.mode for member, _ in members}
                self.assertEqual(modes["./etc/init.d/glacic"], 0o755)
                self.assertEqual(modes["./usr/sbin/glacic"], 0o755)
                self.assertIn("./lib/upgrade/keep.d/glacic", modes)

    def test_a_program_is_for_the_architecture_that_its_package_names(self):
        machines = {"mips_": (2, 8), "mipsel": (1, 8), "arm_": (1, 40), "aarch64": (1, 183), "x86_64": (1, 62), "riscv64": (1, 243)}
        for file in DIST.glob("glacic_*.ipk"):
            fields, _, members = read_ipk.read(file.read_bytes())
            elf = next(data for member, data in members if member.name == "./usr/sbin/glacic")
            order = "big" if elf[5] == 2 else "little"
            wanted = next(value for name, value in machines.items() if fields["Architecture"].startswith(name))
            self.assertEqual((elf[5], int.from_bytes(elf[18:20], order)), wanted, file.name)

    def test_an_index_tells_of_every_package_what_opkg_asks_for(self):
        feed = folder()
        for file in found(".ipk")[:3]:
            (feed / file.name).write_bytes(file.read_bytes())
        subprocess.run([sys.executable, TREE / "openwrt/pack/index.py", feed], check=True)
        text = (feed / "Packages").read_text()
        self.assertEqual(gzip.decompress((feed / "Packages.gz").read_bytes()).decode(), text)
        entries = [read_ipk.control_fields(f"{entry}\n") for entry in text.strip().split("\n\n")]
        self.assertEqual({entry["Filename"] for entry in entries}, {file.name for file in feed.glob("*.ipk")})
        for entry in entries:
            data = (feed / entry["Filename"]).read_bytes()
            self.assertEqual((int(entry["Size"]), entry["SHA256sum"]), (len(data), hashlib.sha256(data).hexdigest()))
            fields = read_ipk.read(data)[0]
            self.assertEqual(fields, {name: entry[name] for name in fields})

    def test_the_vendor_table_is_as_its_format_says(self):
        (file,) = DIST.glob("glacic-vendors_*.ipk")
        members = read_ipk.read(file.read_bytes())[2]
        table = next(data for member, data in members if member.name == "./usr/share/glacic/vendors")
        for data in (table, (TREE / "tests/package/vendors.sample").read_bytes()):
            lines = data.decode().splitlines(keepends=True)
            prefixes = [line.split("\t")[0] for line in lines]
            self.assertEqual(lines, sorted(lines, key=str.encode))
            self.assertEqual(len(prefixes), len(set(prefixes)))
            for line in lines:
                self.assertRegex(line, r"^[0-9a-f]{6}([0-9a-f]|[0-9a-f]{3})?\t[^\x00-\x1f]+\n$")
                self.assertLessEqual(len(line.split("\t")[1].encode()), 33)
        self.assertGreater(len(lines), 10)
        self.assertIn(b"\nb827eb\tRaspberry Pi Foundation\n", table)
        self.assertGreater(table.count(b"\n"), 30000)

    def test_a_translation_is_found_as_luci_looks_for_it(self):
        sys.path.insert(0, str(TREE / "openwrt/pack"))
        import lmo

        # From po2lmo's own hash, with each length of the rest and a byte that is negative to C.
        known = {"Allowed %d flow.\x020": 0xBB6C5F89, "Fl\u00fcsse": 0xD35AC93C}
        self.assertEqual({text: lmo.sfh(text.encode()) for text in known}, known)
        translations = sorted((TREE / "openwrt/luci-app-glacic/po").glob("[!t]*/*.po"))
        self.assertTrue(translations)
        for file in translations:
            language, text = file.parent.name, file.read_text()
            (package_file,) = DIST.glob(f"luci-i18n-glacic-{language}_*_all.ipk")
            members = read_ipk.read(package_file.read_bytes())[2]
            data = next(data for member, data in members if member.name == f"./usr/lib/lua/luci/i18n/glacic.{language}.lmo")
            offered = next(data for member, data in members if member.name == f"./etc/uci-defaults/luci-i18n-glacic-{language}")
            self.assertRegex(offered.decode(), rf"^uci set luci\.languages\.{language}='.+'; uci commit luci\n$")
            (start,) = struct.unpack(">I", data[-4:])
            index = list(struct.iter_unpack(">4I", data[start:-4]))
            self.assertEqual(index, sorted(index))
            found = {key: data[offset : offset + length].decode() for key, _, offset, length in index}
            self.assertIn("nplurals=", found[0])
            pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', text, re.MULTILINE)
            self.assertGreater(len(pairs), 100)
            for original, translated in pairs:
                if original != translated:
                    plain = original.replace('\\"', '"')
                    self.assertEqual(found[lmo.sfh(plain.encode())], translated.replace('\\"', '"'))

    def test_the_same_tree_gives_the_same_bytes_whoever_makes_them(self):
        made = []
        for environment in ({"TZ": "UTC", "LC_ALL": "C"}, {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}):
            before = os.umask(0o077 if made else 0o022)
            words = ("--program", program(), "--arch", "x86_64", "--others")
            dist = package(*words, SOURCE_DATE_EPOCH="1700000000", **environment)
            os.umask(before)
            made.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in dist.iterdir()})
        self.assertEqual(made[0], made[1])
        self.assertGreaterEqual(len(made[0]), 4)


if __name__ == "__main__":
    unittest.main()
