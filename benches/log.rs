//! The log's reader against a bare one in C: at a rate which that one keeps up with, nothing may be lost; where something
//! is lost, it must be counted to the record. Linux, root, a C compiler. `cargo bench --bench log [-- --quick]`.

mod kit;

use std::time::Duration;

use glacic::intercept::log::Log;

use kit::reader::{Control, Done, Place, Reader};
use kit::report::{figure, holds, median, unmeasured};
use kit::{Network, bare, pin, processors, rounds, traffic, wait_readable};

const GROUP: u16 = 100;
/// What glacic asks the kernel to copy of a packet.
const COPY_RANGE: u32 = 512;
/// Far more than the ten milliseconds the kernel keeps records back.
const TAIL: Duration = Duration::from_millis(60);
/// Records, of which some 20,000 fit the socket's buffer.
const MORE_THAN_FITS: u64 = 60_000;

fn main() {
    kit::take_precedence();
    bare::prepare();
    let network = Network::new(1);
    traffic::sink(&network);
    network.router.nft(&format!(
        "table inet logged {{ chain forward {{ type filter hook forward priority filter; policy accept; \
         meta l4proto udp counter log group {GROUP} prefix \"bench: \"\n }}\n }}"
    ));
    keeping_up(&network);
    counting(&network);
}

/// Packets the rule has logged, by its own counter.
fn logged(network: &Network) -> u64 {
    let chain = network.router.must("nft", &["list", "chain", "inet", "logged", "forward"], "");
    let count = chain.split_once("counter packets ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("no counter in {chain}"))
}

fn with_c(control: &Control) {
    bare::log(GROUP, COPY_RANGE, control);
}

fn with_glacic(control: &Control) {
    let (mut log, warnings) = Log::open(GROUP).expect("the group can be bound");
    assert_eq!(warnings, []);
    control.ready();
    while !control.stopped() {
        if wait_readable(&log, 20) {
            read(&mut log, control);
        }
    }
}

fn read(log: &mut Log, control: &Control) {
    let received = log.receive(|_, packet| assert!(packet.mac.is_some())).expect("the log can be read");
    assert_eq!(received.malformed, 0);
    control.count(received.packets);
    control.lost.fetch_add(received.lost as usize, std::sync::atomic::Ordering::Relaxed);
}

/// One round: what a reader did, and how many packets were logged.
fn round(network: &Network, read: fn(&Control), rate: Option<f64>) -> (Done, u64) {
    let length = Duration::from_millis(if kit::quick() { 150 } else { 500 });
    let reader = Reader::start(&network.router, Place::On(processors().1), read);
    let before = logged(network);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(processors().0);
            traffic::blast(&traffic::device_socket(network), &[9], rate, length);
        });
    });
    std::thread::sleep(TAIL);
    let all = logged(network) - before;
    (reader.stop(|| ()), all)
}

/// Both readers in turn at the highest rate at which the one in C loses nothing, beginning with all that one processor sends.
fn keeping_up(network: &Network) {
    let rounds = rounds(5);
    let rates = [None, Some(400e3), Some(300e3), Some(200e3), Some(100e3), Some(50e3), Some(20e3)];
    let keeps = |rate: &Option<f64>| (0..2).all(|_| round(network, with_c, *rate).0.lost == 0);
    let Some(rate) = rates.into_iter().find(keeps) else {
        unmeasured("log: records kept where a bare reader in C keeps up", "it never did on this machine");
        return;
    };
    let (mut c_lost, mut lost) = (0, 0);
    let (mut records, mut c_costs, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (read, lost, costs) in
            [(with_c as fn(&Control), &mut c_lost, &mut c_costs), (with_glacic, &mut lost, &mut costs)]
        {
            let (done, all) = round(network, read, rate);
            *lost += done.lost;
            costs.push(done.time.as_nanos() as f64 / done.packets as f64);
            records.push(all as f64);
        }
    }
    let wanted = rate.map_or("all that one processor sends".to_owned(), |rate| format!("{:.0} kpps", rate / 1e3));
    println!("{rounds} rounds at {wanted}");
    figure("records of a round", median(records), "");
    figure("bare reader in C: processor time a record", median(c_costs), "ns");
    figure("glacic: processor time a record", median(costs), "ns");
    figure("bare reader in C: lost", c_lost as f64, "");
    let what = "log: records lost where a bare reader in C keeps up";
    holds(what, &lost.to_string(), lost <= c_lost);
}

/// A reader that does not read while records come, and everything it then says it lost.
fn counting(network: &Network) {
    let (mut log, _) = network.router.run(|| Log::open(GROUP).expect("the group can be bound"));
    let control = Control::default();
    let before = logged(network);
    let socket = traffic::device_socket(network);
    while logged(network) - before < MORE_THAN_FITS {
        traffic::blast(&socket, &[9], None, Duration::from_millis(100));
    }
    read_all(&mut log, &control);
    // A gap shows with the record behind it.
    traffic::send(&socket, 9);
    read_all(&mut log, &control);
    let logged = logged(network) - before;
    let load = |count: &std::sync::atomic::AtomicUsize| count.load(std::sync::atomic::Ordering::Relaxed) as u64;
    let (kept, lost) = (load(&control.packets), load(&control.lost));
    println!("nobody reads meanwhile: {logged} logged, {kept} kept, {lost} counted as lost");
    holds(
        "log: lost records that were not counted",
        &logged.abs_diff(kept + lost).to_string(),
        kept + lost == logged && lost > 0,
    );
}

fn read_all(log: &mut Log, control: &Control) {
    while wait_readable(log, 200) {
        read(log, control);
    }
}
