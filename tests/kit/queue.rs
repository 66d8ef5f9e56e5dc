//! The packet queue: the kernel's own counters, and the way round a kernel without the nft `queue` expression.
//!
//! Where the expression is missing, the daemon is told to set a test mark where `queue` would stand, and a hook right
//! behind its own hands marked packets to the same queue through the NFQUEUE target, before fw4 judges. The mark is taken
//! off on the way, so that nobody behind sees a difference.

use super::Host;

/// The queue's number, as in the daemon's default configuration.
pub const QUEUE: u16 = 100;

/// The mark that stands for `queue`, under the mask 0xff.
pub const TEST_MARK: &str = "0x64";

/// Whether the kernel at hand has the nft `queue` expression, as far as we are told.
pub fn is_native() -> bool {
    std::env::var_os("GLACIC_QUEUE").is_some_and(|value| value == "native")
}

/// Sets up the way round. Packets pass when nobody reads the queue, until [`close_way_round`] is called.
pub fn install_way_round(router: &Host) {
    for (program, family) in PROGRAMS {
        router.must(program, &["-N", CHAIN], "");
        router.must(program, &["-A", CHAIN, "-j", "NFQUEUE", "--queue-num", "100", "--queue-bypass"], "");
        router.nft(&format!(
            "add chain {family} filter glacic_marked {{ type filter hook forward priority filter - 5; policy accept; }}\n\
             add rule {family} filter glacic_marked meta mark and 0xff == {TEST_MARK} \
             meta mark set meta mark and 0xffffff00 jump {CHAIN}\n"
        ));
    }
}

/// From now on packets are dropped when nobody reads the queue, as with `fail_mode closed`.
pub fn close_way_round(router: &Host) {
    for (program, _) in PROGRAMS {
        router.must(program, &["-R", CHAIN, "1", "-j", "NFQUEUE", "--queue-num", "100"], "");
    }
}

const PROGRAMS: [(&str, &str); 2] = [("iptables-nft", "ip"), ("ip6tables-nft", "ip6")];
const CHAIN: &str = "GLACIC_QUEUE";

/// One line of /proc/net/netfilter/nfnetlink_queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Packets that wait for a verdict.
    pub waiting: u64,
    /// Bytes of each packet that are copied.
    pub copy_range: u64,
    /// Packets lost because the queue was full, and because the reader's socket was.
    pub dropped: u64,
    pub user_dropped: u64,
    /// Packets that ever visited the queue.
    pub visits: u64,
}

/// What the kernel counts for a queue; `None` while nobody reads it.
pub fn counters(router: &Host, queue: u16) -> Option<Counters> {
    let text = router.proc_net("netfilter/nfnetlink_queue").ok()?;
    parse(&text, queue)
}

fn parse(text: &str, queue: u16) -> Option<Counters> {
    text.lines().find_map(|line| {
        let fields: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        match fields[..] {
            [number, _, waiting, _, copy_range, dropped, user_dropped, visits, ..] if number == u64::from(queue) => {
                Some(Counters { waiting, copy_range, dropped, user_dropped, visits })
            }
            _ => None,
        }
    })
}

#[test]
fn reads_the_kernels_line() {
    let text =
        "    7  12345     0 2 65535     0     0        3  1\n  100   9382     1 2   128     5     6       42  1\n";
    let expected = Counters { waiting: 1, copy_range: 128, dropped: 5, user_dropped: 6, visits: 42 };
    assert_eq!(parse(text, 100), Some(expected));
    assert_eq!(parse(text, 101), None);
}
