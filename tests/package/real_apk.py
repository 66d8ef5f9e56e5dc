"""That a real apk (version 3) takes the packages, and makes the same bytes of the same files. Only with --apk: no registry that the
tests may rely on has one."""

import os
import subprocess
import unittest
import zlib

import read_apk
from formats import folder, found
from installers import REAL


class RealApk(unittest.TestCase):
    def test_apk_verifies_every_package(self):
        for file in found(".apk"):
            command = [REAL["apk"], "verify", "--allow-untrusted", file]
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 0, file.name)

    def test_apk_makes_the_same_of_the_same_files(self):
        apk = REAL["apk"]
        for file in found(".apk"):
            facts, scripts, files = read_apk.read(file.read_bytes())
            root, words = folder() / "root", ["--files"]
            root.mkdir()
            subprocess.run([apk, "extract", "--allow-untrusted", "--destination", root, file], check=True, capture_output=True)
            words += [root, "--output", root.parent / "made.apk"]
            for name in ("name", "version", "description", "arch", "license", "origin", "maintainer", "depends"):
                value = facts.get(name, "")
                words += ["--info", f"{name}:{' '.join(value) if isinstance(value, list) else value}"]
            for kind, text in scripts.items():
                (root.parent / kind).write_text(text)
                words += ["--script", f"{kind}:{root.parent / kind}"]
            time = str(next(each["time"] for each in files.values() if "time" in each))
            subprocess.run([apk, "mkpkg", *words], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": time})
            ours, theirs = (zlib.decompress(each.read_bytes()[4:], -15) for each in (file, root.parent / "made.apk"))
            self.assertEqual(ours, theirs, file.name)
