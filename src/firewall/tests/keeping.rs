//! What others take away comes back, and what glacic leaves behind is what `fail_mode` says.

use std::collections::BTreeSet;

use super::at::{At, enforcing, table, udp};
use super::house::until;
use super::support::{Folder, in_namespace, install_fw4, must, plan, tools};
use crate::config::settings::{FailMode, Placement};
use crate::firewall::message::{Damage, Load, LoadError, Report, Request};
use crate::firewall::nft::Tools;
use crate::firewall::plan::{Limits, Plan};
use crate::flow::State;

#[test]
fn a_table_that_somebody_removed_is_missed_and_put_back() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[(udp(1), State::Allowed)]);
        must("nft", &["flush", "ruleset"], "");
        assert_eq!(at.next(), Report::Damaged(Damage::Table));
        assert!(
            matches!(at.change(udp(2), None, Some(State::Allowed)), Report::Applied { failed, .. } if failed.len() == 1)
        );
        at.loads(&enforcing(), &[(udp(1), State::Allowed)]);
        assert!(table().contains("udp . 1 "));
        // Our own replacement of the table is not somebody's removal.
        at.loads(&Plan { limits: Limits::for_flows(2000), ..enforcing() }, &[]);
        assert_eq!(at.counters(), []);
        must("nft", &["delete", "table", "inet", "glacic"], "");
        assert_eq!(at.next(), Report::Damaged(Damage::Table));
    });
}

#[test]
fn rules_and_elements_that_somebody_removed_are_missed_and_put_back() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        let flows = [(udp(1), State::Allowed), (udp(2), State::Denied)];
        at.loads(&enforcing(), &flows);
        let sorted = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let whole = sorted(table());
        for (command, damage) in [
            ("flush table inet glacic", Damage::Rules),
            ("flush chain inet glacic forward", Damage::Rules),
            ("flush map inet glacic flows", Damage::Elements),
            ("delete element inet glacic flows { 02:00:00:00:00:02 . udp . 2 }", Damage::Elements),
        ] {
            must("nft", &["-f", "-"], command);
            assert_eq!(at.next(), Report::Damaged(damage), "{command}");
            at.loads(&enforcing(), &flows);
            assert_eq!(sorted(table()), whole, "{command}");
        }
        // What glacic itself takes away, and what somebody adds, is no damage.
        at.change(udp(1), Some(State::Allowed), None);
        at.loads(&plan(), &flows);
        must("nft", &["add", "rule", "inet", "glacic", "forward", "counter"], "");
        must("nft", &["delete", "element", "inet", "glacic", "flows", "{ 02:00:00:00:00:02 . udp . 1 }"], "");
        assert_eq!(at.next(), Report::Damaged(Damage::Elements), "and nothing before");
    });
}

#[test]
fn unloading_leaves_what_fail_mode_says() {
    in_namespace(|| {
        let folder = Folder::new();
        let tools = tools(&folder);
        install_fw4(&tools);
        for (placement, fail_mode, stays) in [
            (Placement::Guard, FailMode::Open, false),
            (Placement::Guard, FailMode::Closed, true),
            (Placement::Fallback, FailMode::Open, false),
            (Placement::Fallback, FailMode::Closed, true),
        ] {
            let at = At::work(&tools);
            at.loads(&Plan { placement, fail_mode, ..enforcing() }, &[(udp(1), State::Allowed)]);
            let published = tools.includes.join("forward/glacic.nft");
            assert_eq!(published.exists(), placement == Placement::Fallback);
            assert_eq!(at.ask(Request::Unload { placement, fail_mode }), Report::Unloaded { trouble: None });
            at.worker.join();
            assert_eq!(must("nft", &["list", "tables"], "").contains("glacic"), stays, "{placement:?} {fail_mode:?}");
            assert!(!published.exists());
            let fw4 = || {
                must("nft", &["list", "tables"], "").contains("fw4")
                    && must("nft", &["list", "table", "inet", "fw4"], "").contains("glacic")
            };
            until(|| !fw4(), "fw4 keeps glacic's rules");
        }
    });
}

/// A daemon that is told to stop has no time for an nft that hangs; and what this one has done already is undone.
#[test]
fn a_stop_breaks_off_a_load_and_leaves_nothing_of_it() {
    in_namespace(|| {
        let folder = Folder::new();
        let (tools, script) = (tools(&folder), folder.0.join("nft"));
        let nft = tools.nft.display();
        let text = format!("#!/bin/sh\n{nft} \"$@\" || exit 1\n[ \"$1\" = -c ] || exec sleep 1000\n");
        std::fs::write(&script, text).unwrap();
        must("chmod", &["+x", script.to_str().unwrap()], "");
        let mut at = At::work(&Tools { nft: script, ..tools });
        let load = Load { plan: enforcing(), elements: Vec::new(), devices: Vec::new() };
        at.worker.try_send(Request::Load(Box::new(load))).unwrap();
        let listed = || must("nft", &["list", "tables"], "").contains("glacic");
        until(listed, "nft loads nothing");
        at.worker.hurry();
        assert_eq!(at.next(), Report::Refused(LoadError::Leaving));
        let unload = Request::Unload { placement: Placement::Guard, fail_mode: FailMode::Open };
        assert_eq!(at.ask(unload), Report::Unloaded { trouble: None });
        assert_eq!(must("nft", &["list", "ruleset"], ""), "");
    });
}

/// What fw4 was told while it was not running is mended when it starts, and so is what was said about it.
#[test]
fn an_fw4_that_starts_later_has_the_includes_and_nothing_is_said_about_it_any_more() {
    in_namespace(|| {
        let folder = Folder::new();
        let tools = tools(&folder);
        install_fw4(&tools);
        let start = std::fs::read_to_string(&tools.fw4).unwrap();
        std::fs::write(&tools.fw4, "#!/bin/sh\nexit 0\n").unwrap();
        let at = At::work(&tools);
        let plan = Plan { placement: Placement::Fallback, ..plan() };
        assert!(
            matches!(at.load(&plan, &[]), Report::Loaded { warnings, .. } if warnings[0].contains("fw4 is running"))
        );
        std::fs::write(&tools.fw4, start).unwrap();
        must(&tools.fw4.display().to_string(), &[], "");
        assert_eq!(at.next(), Report::Fw4 { warnings: vec![] });
    });
}
