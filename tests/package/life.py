"""A package's life on a router: installed, started, reloaded, stopped, upgraded, removed. Each step looks at tables, files and
processes. The same for every way to install (installers.py)."""

import fcntl
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

import formats
import read_ipk
from installers import Unpack, ways
from root import Root

PACKAGES = {}  # by version ("old", "new") and suffix


def setUpModule():
    PACKAGES.update(formats.two_versions())


class Life:
    way = Unpack

    def setUp(self):
        self.root = Root()
        self.root.pack = Path(__file__).parents[2] / "openwrt/pack"
        self.addCleanup(self.root.__exit__)
        self.installer = self.way(self.root)

    def install(self, version="old"):
        file = PACKAGES[version, self.way.suffix]
        for member, data in read_ipk.read(PACKAGES[version, ".ipk"].read_bytes())[2]:
            if member.name.endswith("/usr/sbin/glacic"):
                program = self.root.path.parent / f"{self.root.path.name}-program"
                program.write_bytes(data)
                program.chmod(0o755)
                self.root.program(str(program), "/usr/sbin/glacic.libraries")
                (self.root.path / "usr/sbin/glacic.libraries").unlink()
                program.unlink()
        self.installer.install(file)

    def guarding(self, *changes):
        """Installed, enabled, and in the kernel."""
        self.install()
        self.root.edit(("option enabled '0'", "option enabled '1'"), *changes)
        self.service("reload")
        self.root.until(self.root.stands, "the ruleset")
        (pid,) = self.root.processes()
        return pid

    def service(self, action, check=True):
        return self.root.sh(f"/etc/init.d/glacic {action}", check=check)

    def guarded(self):
        return self.root.nft("--stateless", "list", "table", "inet", "glacic")

    def assertNothingLeft(self):
        self.root.until(lambda: not self.root.processes(), "the end of every process")
        self.assertEqual(self.root.tables(), ["inet fw4"])
        self.assertNotIn("glacic", self.root.nft("list", "ruleset"))
        self.assertEqual(list((self.root.path / "var/run").glob("glacic/*/*.nft")), [])

    # ---- installed

    def test_an_installation_changes_nothing_and_knows_the_zones_of_the_home(self):
        self.install()
        self.assertNothingLeft()
        links = sorted(link.name for link in (self.root.path / "etc/rc.d").iterdir())
        self.assertEqual(links, ["K89glacic", "S21glacic"])
        config = self.root.read("etc/config/glacic")
        self.assertIn("\tlist zone 'lan'\n\tlist zone 'iot'\n", config)
        self.assertNotIn("'vpn'", config, "nobody of the home is there")
        self.assertIn("# 1 starts guarding", config, "the comments are still there")
        self.assertEqual(list((self.root.path / "etc/uci-defaults").glob("*")), [])
        self.assertEqual(self.root.sh("glacic check").returncode, 0)
        self.assertEqual(os.readlink(self.root.path / "usr/libexec/rpcd/glacic"), "/usr/sbin/glacic")
        self.assertIn('"status"', self.root.sh("/usr/libexec/rpcd/glacic list").stdout)
        self.assertIn("reload", self.root.read("var/log/rpcd"))
        self.assertEqual(self.root.read("lib/upgrade/keep.d/glacic"), "/etc/glacic/\n")
        self.assertIn("option enabled '1'", self.root.log(), "it says what there is to do")

    # ---- started, reloaded, stopped

    def test_started_it_guards_the_zones_and_stopped_it_leaves_nothing(self):
        pid = self.guarding()
        self.assertIn('"br-lan"', self.guarded())
        self.assertIn('"br-iot"', self.guarded())
        self.assertEqual(self.service("running", check=False).returncode, 0)
        self.assertIn("is learning", self.service("status").stdout)
        self.root.sh("glacic allow --device b8:27:eb:00:00:01 --proto tcp --port 8883")
        self.assertIn("tcp/8883", self.service("flows").stdout)
        self.service("start")
        self.assertEqual(self.root.processes(), [pid], "a second start changes nothing")
        self.service("stop")
        self.assertNothingLeft()
        self.assertNotEqual(self.service("running", check=False).returncode, 0)
        self.service("start")
        self.root.until(self.root.stands, "the ruleset")

    def test_a_good_configuration_is_taken_over_by_the_running_daemon(self):
        pid = self.guarding()
        self.root.edit(("option learning_mode '1'", "option learning_mode '0'"))
        self.service("reload")
        self.root.until(lambda: "is enforcing" in self.service("status", check=False).stdout, "enforcing")
        self.assertEqual(self.root.processes(), [pid])

    def test_a_bad_configuration_is_refused_loudly_and_the_daemon_goes_on(self):
        pid = self.guarding()
        good, before = self.root.read("etc/config/glacic"), self.guarded()
        for bad in (good.replace("learning_mode '1'", "learning_mode 'perhaps'"), good + "option option 'unfinished\n"):
            self.root.write("etc/config/glacic", bad)
            for action in ("reload", "restart"):
                self.root.procd.lines.clear()
                done = self.service(action, check=False)
                self.assertNotEqual(done.returncode, 0, action)
                self.assertIn("/etc/config/glacic is refused", done.stderr)
                self.assertRegex(done.stderr, r"/etc/config/glacic:\d+:\d+: ")
                self.root.until(lambda: "is refused" in self.root.log(), "the refusal in the system log")
            self.service("start", check=False)
            time.sleep(0.3)
            self.assertEqual(self.root.processes(), [pid])
            self.assertTrue(self.root.stands())
            self.assertEqual(self.guarded(), before)
        self.root.write("etc/config/glacic", good)
        self.service("restart")
        self.root.until(self.root.stands, "the ruleset")
        self.assertNotEqual(self.root.processes(), [pid])

    def test_a_configuration_that_is_refused_is_a_warning_of_the_running_daemon(self):
        pid = self.guarding()

        def refused():
            return '"config_refused"' in self.root.sh("glacic status --json").stdout

        self.root.edit(("learning_mode '1'", "learning_mode 'perhaps'"))
        self.assertNotEqual(self.service("reload", check=False).returncode, 0)
        self.root.until(refused, "the warning")
        self.root.edit(("learning_mode 'perhaps'", "learning_mode '1'"))
        self.service("reload")
        self.root.until(lambda: not refused(), "the warning's end")
        self.assertEqual(self.root.processes(), [pid])

    def test_with_a_bad_configuration_nothing_is_started(self):
        self.install()
        self.root.edit(("option enabled '0'", "option enabled '1'"), ("fail_mode 'open'", "fail_mode 'ajar'"))
        done = self.service("start", check=False)
        self.assertIn("fail_mode", done.stderr)
        self.assertNothingLeft()

    def test_switched_off_in_the_configuration_it_ends(self):
        self.guarding()
        self.root.edit(("option enabled '1'", "option enabled '0'"))
        self.service("reload")
        self.root.until(lambda: not self.root.processes(), "the end")
        self.assertNothingLeft()

    CLOSED = (("fail_mode 'open'", "fail_mode 'closed'"),)

    def test_switched_off_it_leaves_nothing_whatever_fail_mode_promises(self):
        self.guarding(*self.CLOSED)
        self.root.edit(("option enabled '1'", "option enabled '0'"))
        self.service("reload")
        self.assertNothingLeft()
        self.assertIn("config.change", str(self.root.procd.triggers["glacic"]), "procd calls it when it is switched on again")

    def test_switched_off_after_a_death_it_leaves_nothing_either(self):
        self.dead(*self.FALLBACK, *self.CLOSED)
        self.root.edit(("option enabled '1'", "option enabled '0'"))
        self.service("reload")
        self.assertNothingLeft()

    def test_a_file_with_a_mistake_switches_nothing_off(self):
        self.dead(*self.FALLBACK, *self.CLOSED)
        good = self.root.read("etc/config/glacic").replace("option enabled '1'", "option enabled '0'")
        mistakes = {
            "in an option": good.replace("learning_mode '1'", "learning_mode 'perhaps'"),
            "in the word": good.replace("fail_mode 'closed'", "fail_mod 'closed'"),
            "in the form": good + "option option 'unfinished\n",
            "no section": "",
        }
        for name, text in mistakes.items():
            self.root.write("etc/config/glacic", text)
            for action in ("reload", "stop"):
                with self.subTest(name, action=action):
                    self.service(action, check=False)
                    self.assertTrue(self.guarded())
        (self.root.path / "etc/config/glacic").unlink()
        self.service("stop")
        self.assertTrue(self.guarded())

    def test_what_is_set_and_not_committed_neither_starts_nor_ends_it(self):
        pid = self.guarding()
        (self.root.path / "tmp/.uci").mkdir(exist_ok=True)
        self.root.write("tmp/.uci/glacic", "glacic.main.enabled='0'\n")
        self.root.sh(". /etc/hotplug.d/iface/30-glacic", env={"ACTION": "ifup", "INTERFACE": "iot"})
        self.assertEqual(self.root.procd.signals, [1])
        self.assertEqual(self.root.processes(), [pid])
        self.root.edit(("option enabled '1'", "option enabled '0'"))
        self.root.write("tmp/.uci/glacic", "glacic.main.enabled='1'\n")
        for action in ("reload", "start"):
            self.service(action)
            self.assertEqual(self.root.procd.services["glacic"], {}, "nothing to start again and again")
        self.assertNothingLeft()

    def test_killed_it_comes_back_however_often(self):
        pid = self.guarding()
        self.assertEqual(self.root.procd.pids(), [pid])
        for _ in range(7):
            os.kill(pid, 9)
            pid = self.root.until(lambda: next((each for each in self.root.procd.pids() if each != pid), None), "another process")
        self.root.until(self.root.stands, "the ruleset")

    def test_procd_calls_it_after_changes_of_its_own_and_of_the_firewalls_configuration(self):
        self.guarding()
        triggers = str(self.root.procd.triggers["glacic"])
        for package in ("glacic", "firewall"):
            self.assertIn(f"'{package}'", triggers)
        self.assertIn("5000", triggers, "the firewall's later: fw4 reloads first")

    def test_it_starts_anew_when_what_its_database_is_on_is_mounted(self):
        self.guarding()
        self.root.write("etc/config/fstab", "config mount\n\toption target '/mnt/usb'\nconfig mount\n\toption target '/etc'\n")
        self.service("start")
        self.assertNotIn("mount.add", str(self.root.procd.triggers["glacic"]), "what is in /etc is there from the start")
        self.root.edit(("database '/etc/glacic/flows.db'", "database '/mnt/usb/glacic/flows.db'"))
        self.service("restart")
        (mount,) = [str(each) for each in self.root.procd.triggers["glacic"] if "mount.add" in each]
        self.assertIn("/mnt/usb", mount)
        self.assertIn("restart", mount)

    def test_a_zones_new_interface_is_guarded_after_hotplug(self):
        pid = self.guarding()
        config = self.root.read("etc/config/firewall").replace("'br-iot'", "'br-new'")
        self.root.write("etc/config/firewall", config)
        os.system("ip link add br-new type bridge")
        self.addCleanup(os.system, "ip link del br-new")
        hook = ". /etc/hotplug.d/iface/30-glacic"
        for action in ("ifdown", "ifupdate"):
            self.root.sh(hook, env={"ACTION": action, "INTERFACE": "iot"})
        self.assertEqual(self.root.procd.signals, [], "a lease that was renewed is no news")
        self.root.sh(hook, env={"ACTION": "ifupdate", "INTERFACE": "iot", "IFUPDATE_ADDRESSES": "1"})
        self.root.sh(hook, env={"ACTION": "ifup", "INTERFACE": "iot"})
        self.assertEqual(self.root.procd.signals, [1, 1])
        self.root.until(lambda: '"br-new"' in self.guarded(), "br-new is guarded")
        self.assertEqual(self.root.processes(), [pid])

    def test_the_clock_hook_reaches_the_daemon_when_the_clock_was_set_and_only_then(self):
        pid = self.guarding()
        self.root.edit(("option learning_mode '1'", "option learning_mode '0'"))
        self.root.sh(". /etc/hotplug.d/ntp/30-glacic", env={"ACTION": "stratum"})
        self.assertIn("is learning", self.service("status").stdout)
        self.root.sh(". /etc/hotplug.d/ntp/30-glacic", env={"ACTION": "step"})
        self.root.until(lambda: "is enforcing" in self.service("status", check=False).stdout, "enforcing")
        self.assertEqual(self.root.processes(), [pid])

    def test_it_is_a_user_of_its_own_with_one_capability(self):
        pid = self.guarding()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        (user,) = [line for line in self.root.read("etc/passwd").splitlines() if line.startswith("glacic:")]
        number = user.split(":")[2]
        self.assertNotEqual(number, "0")
        self.assertEqual(status["Uid"].split(), [number] * 4)
        self.assertEqual(int(status["CapBnd"], 16), 1 << 12, "CAP_NET_ADMIN")
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertIn("user glacic, net_admin only", self.service("status").stdout)
        self.assertEqual((self.root.path / "etc/glacic").stat().st_uid, int(number))
        self.assertEqual((self.root.path / "etc/config/glacic").stat().st_uid, 0)

    def test_a_user_that_a_sysupgrade_has_forgotten_is_there_again(self):
        self.install()
        users = [line for line in self.root.read("etc/passwd").splitlines() if not line.startswith("glacic:")]
        self.root.write("etc/passwd", "\n".join(users) + "\n")
        self.root.edit(("option enabled '0'", "option enabled '1'"))
        self.service("start")
        self.root.until(self.root.stands, "the ruleset")
        self.assertIn("user glacic, net_admin only", self.service("status").stdout)

    def test_settings_are_understood_as_the_daemon_takes_them(self):
        config = ("config rule_learning 'main'", "config rule_learning"), ("\tlist zone 'lan'\n\tlist zone 'iot'\n", "\toption zone 'lan iot'\n")
        self.guarding(*config, *self.FALLBACK)
        self.assertIn('"br-iot"', self.guarded())
        include = self.root.path / "usr/share/nftables.d/chain-post/input_iot/glacic.nft"
        text = include.read_text()
        # The flash was full when it was written.
        include.write_text("")
        self.service("reload")
        self.assertEqual(include.read_text(), text)
        self.assertEqual(sorted(os.listdir(include.parent)), ["glacic.nft"])

    # ---- stopped when something is wrong

    def dead(self, *changes):
        """Guarding, and the daemon has died, and procd has not started another."""
        pid = self.guarding(*changes)
        self.root.until(lambda: not changes or "glacic: allowed" in self.root.nft("list", "table", "inet", "fw4"), "fw4")
        (instance,) = self.root.procd.services["glacic"].values()
        instance.settings = {**instance.settings, "respawn": None}
        os.kill(pid, 9)
        self.root.until(lambda: not self.root.processes(), "its end")
        self.assertTrue(self.guarded(), "decisions outlive it")

    def test_stopped_after_a_death_it_leaves_nothing_either(self):
        self.dead(*self.FALLBACK)
        self.service("stop")
        self.assertNothingLeft()

    def test_stopped_after_a_death_it_leaves_what_fail_mode_closed_promises(self):
        self.dead(*self.FALLBACK, ("fail_mode 'open'", "fail_mode 'closed'"))
        self.service("stop")
        self.assertIn("chain deny", self.guarded(), "what is denied stays denied")
        self.assertNotIn("glacic", self.root.nft("list", "table", "inet", "fw4"), "and fw4 refuses the rest")

    def test_a_stop_waits_for_a_daemon_that_is_not_done(self):
        self.dead()
        with open(self.root.path / "var/run/glacic/control.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stop = subprocess.Popen(["chroot", self.root.path, "/bin/ash", "-c", "/etc/init.d/glacic stop"], stdout=subprocess.DEVNULL)
            time.sleep(2)
            self.assertIsNone(stop.poll(), "a start would find the daemon there still")
            self.assertTrue(self.guarded(), "what it takes away is its own to take away")
        self.assertEqual(stop.wait(60), 0)
        self.assertNothingLeft()

    def test_who_reads_a_list_keeps_nobody_from_starting_and_stopping(self):
        pid = self.guarding()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        lock = "flock -n /var/lock/procd_glacic.lock true"
        for action in ("flows", "status"):
            reader = subprocess.Popen(["chroot", self.root.path, "/bin/ash", "-c", f"/etc/init.d/glacic {action}"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.root.until(lambda: self.asks(reader.pid), "the program that waits for the daemon")
            self.assertEqual(self.root.sh(lock, check=False).returncode, 0, action)
            reader.kill()
            reader.wait()

    def asks(self, pid):
        """Whether this process, or one that it has started, is glacic."""
        try:
            if os.readlink(f"/proc/{pid}/exe").endswith("/usr/sbin/glacic"):
                return True
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return False
        return any(self.asks(child) for child in children)

    # ---- in fw4's chains

    FALLBACK = (("option placement 'guard'", "option placement 'fallback'"), ("option guard_input '0'", "option guard_input '1'"))

    def test_fallback_reaches_the_chains_of_every_zone_also_at_a_cold_boot(self):
        self.guarding(*self.FALLBACK)
        reached = "glacic: allowed flow"
        for chain in ("forward", "input_iot"):
            self.root.until(lambda: reached in self.root.nft("list", "chain", "inet", "fw4", chain), f"rules in {chain}")
        self.service("stop")
        self.root.until(lambda: reached not in self.root.nft("list", "ruleset"), "fw4 without them")
        self.root.sh("fw4 stop; rm -rf /var/run/glacic; fw4 start")
        self.assertIn("chain forward", self.root.nft("list", "table", "inet", "fw4"), "fw4 loads with files and without a daemon")

    # ---- upgraded, removed

    def test_an_upgrade_keeps_configuration_and_database_and_runs_the_new_program(self):
        pid = self.guarding(("list zone 'iot'", "list zone 'iot'\n\t# mine"))
        self.root.sh("glacic allow --device b8:27:eb:00:00:01 --proto tcp --port 8883")
        config = self.root.read("etc/config/glacic")
        self.install("new")
        self.root.until(self.root.stands, "the ruleset")
        self.assertEqual(self.root.read("etc/config/glacic"), config)
        self.assertNotEqual(self.root.processes(), [pid])
        self.assertIn("8883", self.root.sh("glacic flows").stdout)
        self.assertIn("8883", self.guarded())
        self.assertEqual(list((self.root.path / "etc/uci-defaults").glob("*")), [])

    def test_removed_it_leaves_nothing_but_what_is_the_owners(self):
        for changes in ((), self.FALLBACK, (*self.FALLBACK, ("fail_mode 'open'", "fail_mode 'closed'"))):
            with self.subTest(changes):
                self.guarding(*changes)
                self.root.until(lambda: not changes or "glacic: allowed" in self.root.nft("list", "table", "inet", "fw4"), "fw4")
                self.installer.remove("glacic")
                self.assertNothingLeft()
                left = [str(path.relative_to(self.root.path)) for path in self.root.path.glob("[elsu]*/**/*glacic*")]
                self.assertEqual(sorted(path for path in left if "/info/" not in path), ["etc/config/glacic", "etc/glacic"])
                self.assertFalse((self.root.path / "var/run/glacic").exists())
                self.assertIn("flows.db", os.listdir(self.root.path / "etc/glacic"))
                for path in ("etc/config/glacic", "etc/config/glacic-opkg", "etc/config/glacic.apk-new", "etc/glacic/flows.db"):
                    (self.root.path / path).unlink(missing_ok=True)
                os.system(f"rm -rf {self.root.path}/etc/glacic")

    def test_removed_after_a_death_it_leaves_nothing_either(self):
        pid = self.guarding(*self.FALLBACK)
        self.root.until(lambda: "glacic: allowed" in self.root.nft("list", "table", "inet", "fw4"), "fw4")
        self.root.procd.give_up()
        os.kill(pid, 9)
        self.root.until(lambda: not self.root.processes(), "its end")
        self.assertTrue(self.guarded(), "decisions outlive it")
        self.installer.remove("glacic")
        self.assertNothingLeft()
        self.assertFalse((self.root.path / "var/run/glacic").exists())


for each in ways():
    name = f"By{each.__name__}"
    globals()[name] = type(name, (Life, unittest.TestCase), {"way": each})
