//! What a load costs in memory: `cargo test --lib firewall::tests::memory -- --ignored --nocapture`. It needs GNU time, which is
//! small: a process is charged with the memory of the one it was forked from.

use crate::flow::{Key, Mac, Port, Protocol, State};

use super::support::{in_namespace, plan, run};
use crate::firewall::elements::wanted;
use crate::firewall::plan::{Limits, Plan};
use crate::firewall::ruleset::{sets, swap, whole};

fn measure(what: &str, arguments: &[&str], text: &str) {
    let ended = run("/usr/bin/time", &[&["-f", "%M KiB", "nft"], arguments].concat(), text);
    println!("{what}: {}", String::from_utf8_lossy(&ended.stderr).trim());
    assert!(ended.status.success());
}

#[test]
#[ignore = "a measurement"]
fn of_twenty_thousand_elements() {
    in_namespace(|| {
        let plan = Plan { limits: Limits::for_flows(20_000), ..plan() };
        let mac = |n: u16| Mac::from_u64(0x0200_0000_0000 + u64::from(n / 40)).unwrap();
        let flow = |n| (Key::service(mac(n), Protocol::TCP, Port::Number(n)), State::Allowed);
        let elements = wanted(&(0..20_000).map(flow).collect::<Vec<_>>(), &[]);
        measure("sets, without elements", &["-f", "-"], &sets(&plan));
        measure("everything, elements as text", &["-f", "-"], &whole(&plan, &elements));
        measure("check of a ruleset, with the elements loaded", &["-c", "-f", "-"], &whole(&plan, &[]));
        measure("swap of chains, with the elements loaded", &["-f", "-"], &swap(&plan));
    });
}
