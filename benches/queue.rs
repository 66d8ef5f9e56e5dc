//! The queue against its peers, interleaved in one run: how many packets a second, how late the first packet of an undecided
//! flow is, and what bulk TCP loses. Linux, root, a C compiler. `cargo bench --bench queue [-- all|first|bulk] [--quick]`.
//!
//! Packets reach the queue by iptables' NFQUEUE, which kernels have that lack nft's `queue`: what is measured begins behind
//! either. Readers and sender run on processors of their own where there are two.

mod kit;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use glacic::config::Settings;
use glacic::config::settings::FailMode;
use glacic::engine::{Answer, Engine, Policy, Sighting};
use glacic::flow::{FlowId, Monotonic, Now, Rate, Verdict, Wall};
use glacic::intercept::Packet;
use glacic::intercept::queue::{Queue, QueueSettings};
use glacic::wire;

use kit::network::{LAN, SERVER_V4};
use kit::reader::{Control, Place, Reader};
use kit::report::{Goal, figure, median, paired, ratio, unmeasured};
use kit::{Network, bare, pin, processors, rounds, sys, traffic, wait_readable};

const QUEUE: u16 = 100;

fn main() {
    kit::take_precedence();
    bare::prepare();
    let network = Network::new(1);
    traffic::sink(&network);
    if kit::wants("all") {
        all_queued(&network);
    }
    if kit::wants("first") {
        first_packet(&network);
    }
    if kit::wants("bulk") {
        bulk(&network);
    }
}

/// Fail-closed, so that what arrives has been through the reader.
fn settings() -> QueueSettings {
    QueueSettings::new(QUEUE, &Settings { fail_mode: FailMode::Closed, ..Settings::default() })
}

type Loop = fn(&Control);

fn with_c(control: &Control) {
    let QueueSettings { copy_range, length, .. } = settings();
    bare::queue(QUEUE, copy_range, length, control);
}

fn with_glacic(control: &Control) {
    glacic_loop(control, |_| Some(Verdict::Pass), || ());
}

/// All that a first packet meets before its verdict: what it says is read, and the engine, which learns, decides.
/// What follows from it (the kernel's sets, the store) comes behind the verdict, as in the daemon.
fn with_engine(control: &Control) {
    let now = Now { mono: Monotonic::from_secs(1), wall: Wall { seconds: 1_790_000_000 } };
    let learned = Rate { count: u32::MAX, per: Duration::from_secs(1) };
    let policy = Policy { max_flows_per_device: u32::MAX, learned, ..Policy::new(&Settings::default(), true, true) };
    let engine = std::cell::RefCell::new(Engine::new(policy, FlowId(1), now));
    let decide = |packet: &Packet<'_>| {
        let facts = wire::facts(packet.bytes).expect("the packet is whole");
        match engine.borrow_mut().packet(&Sighting { mac: packet.mac, zone: None, facts }, now) {
            Answer::Verdict(verdict) => Some(verdict),
            Answer::Ask(_) | Answer::Hold(_) => panic!("a flow that nobody knows is decided at once"),
        }
    };
    glacic_loop(control, decide, || engine.borrow_mut().take_effects().for_each(drop));
}

fn glacic_loop(control: &Control, mut decide: impl FnMut(&Packet<'_>) -> Option<Verdict>, mut after: impl FnMut()) {
    let (mut queue, warnings) = Queue::open(&settings()).expect("the queue can be bound");
    assert_eq!(warnings, []);
    control.ready();
    while !control.stopped() {
        if wait_readable(&queue, 20) {
            let received = queue.receive(|_, packet| decide(packet)).expect("the queue can be read");
            assert_eq!((received.malformed, received.verdict_errors), (0, 0));
            control.count(received.packets);
            after();
        }
    }
}

/// The loop that the crate's documentation shows.
fn with_nfq(control: &Control) {
    let mut queue = nfq::Queue::open().expect("the crate opens a socket");
    queue.bind(QUEUE).expect("the crate binds the queue");
    let QueueSettings { copy_range, length, .. } = settings();
    queue.set_copy_range(QUEUE, copy_range as u16).expect("a range is taken");
    queue.set_queue_max_len(QUEUE, length).expect("a length is taken");
    control.ready();
    while !control.stopped() {
        let mut message = queue.recv().expect("the crate reads");
        message.set_verdict(nfq::Verdict::Accept);
        queue.verdict(message).expect("the crate answers");
        control.count(1);
    }
}

/// Sends packets of the LAN, or all packets, to the queue while `work` runs with a reader there.
fn queued<T>(
    network: &Network,
    of: &[&str],
    place: Place,
    read: Loop,
    work: impl FnOnce(&Reader) -> T,
) -> (T, kit::reader::Done) {
    let reader = Reader::start(&network.router, place, read);
    let queue = QUEUE.to_string();
    let rule = [of, &["-j", "NFQUEUE", "--queue-num", &queue]].concat();
    network.router.must("iptables-nft", &[&["-A", "FORWARD"][..], &rule].concat(), "");
    let result = work(&reader);
    let socket = traffic::device_socket(network);
    let done = reader.stop(|| traffic::send(&socket, 9));
    network.router.must("iptables-nft", &["-F", "FORWARD"], "");
    (result, done)
}

const FROM_LAN: &[&str] = &["-i", LAN];

/// Small packets as fast as one processor sends them, every one of them queued, and dropped right behind the queue: what is
/// left is the reader's own work and the kernel's for it.
fn all_queued(network: &Network) {
    let length = Duration::from_millis(if kit::quick() { 150 } else { 400 });
    let rounds = rounds(9);
    let readers: [(&str, Loop); 3] =
        [("bare reader in C", with_c), ("loop of the nfq crate", with_nfq), ("glacic", with_glacic)];
    network.router.nft(
        "table inet behind { chain forward { type filter hook forward priority filter + 10; policy accept; \
         meta l4proto udp counter drop\n }\n }",
    );
    let mut rates: [Vec<f64>; 3] = Default::default();
    // Rates depend on what else the machine does, and on how fast it sends; ratios are of the costs.
    let mut costs: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        for (index, (name, read)) in readers.into_iter().enumerate() {
            let before = behind(network);
            let (rate, unhindered) = queued(network, FROM_LAN, Place::On(processors().1), read, |reader| {
                traffic::rate(&traffic::device_socket(network), &[9], length, || reader.packets() as u64)
            });
            let ((), done) = queued(network, FROM_LAN, Place::Behind(processors().0), read, |reader| {
                saturate(network, reader, if kit::quick() { 50 } else { 400 });
            });
            let (passed, read) = (behind(network) - before, unhindered.packets + done.packets);
            assert!(passed >= read as u64, "{name} read {read} packets, {passed} passed");
            rates[index].push(rate);
            costs[index].push(done.time.as_nanos() as f64 / done.packets as f64);
        }
    }
    network.router.nft("delete table inet behind");
    println!("all packets queued, {rounds} rounds");
    for ((name, _), (rates, costs)) in readers.iter().zip(rates.iter().zip(&costs)) {
        figure(&format!("{name}, sender and reader side by side"), median(rates.clone()) / 1e3, "kpps");
        figure(&format!("{name}, saturated: processor time a packet"), median(costs.clone()), "ns");
    }
    let [c, nfq, glacic] = &costs;
    ratio("all packets queued: glacic against a bare reader in C", paired(c, glacic), Goal::AtLeast(0.90));
    ratio("all packets queued: glacic against the loop of the nfq crate", paired(nfq, glacic), Goal::AtLeast(1.3));
    unmeasured("all packets queued: glacic against go-nfqueue", "≥ 3: needs Go, not measured");
}

/// Bursts of packets at a reader that runs only when all of a burst waits for it: the state in which a reader's own cost is
/// what bounds the rate, reached also where the sender is slower than the reader. The default socket buffer holds a burst.
fn saturate(network: &Network, reader: &Reader, bursts: usize) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(processors().0);
            let socket = traffic::device_socket(network);
            let mut blaster = traffic::Blaster::new(&socket, &[9], 64);
            for burst in 1..=bursts {
                assert_eq!(blaster.send() + blaster.send(), 128);
                let begun = Instant::now();
                while reader.packets() < burst * 128 {
                    assert!(begun.elapsed() < Duration::from_secs(5), "a burst was not read");
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
        });
    });
}

/// Packets that came out of the queue.
fn behind(network: &Network) -> u64 {
    let chain = network.router.must("nft", &["list", "chain", "inet", "behind", "forward"], "");
    let count = chain.split_once("counter packets ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("no counter in {chain}"))
}

/// One packet at a time, each of a flow nobody has seen, from the device's `send` until the server's interface has it.
fn first_packet(network: &Network) {
    let (rounds, packets) = (rounds(9), if kit::quick() { 50 } else { 400 });
    let capture = network.server.run(|| sys::capture_socket("eth0")).expect("the server captures");
    let (first, last) = processors();
    let mut next = 10_000u16;
    let mut measure = || {
        std::thread::scope(|scope| {
            let from = next;
            next = if next > 50_000 { 10_000 } else { next + packets };
            let capture = &capture;
            let worker = scope.spawn(move || {
                pin(first);
                let socket = traffic::device_socket(network);
                median((from..from + packets).map(|port| round_trip(&socket, capture, port)).collect())
            });
            worker.join().expect("every packet arrives")
        })
    };
    let (mut plain, mut c, mut queue, mut glacic) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(measure());
        for (times, read) in [(&mut c, with_c as Loop), (&mut queue, with_glacic), (&mut glacic, with_engine)] {
            times.push(queued(network, FROM_LAN, Place::On(last), read, |_| measure()).0);
        }
    }
    println!("one packet at a time, {rounds} rounds of {packets} new flows; microseconds until it arrives");
    let base = median(plain.clone());
    figure("no queue", base, "µs");
    figure("bare reader in C", median(c.clone()), "µs");
    figure("glacic's queue, accepting", median(queue.clone()), "µs");
    figure("glacic's queue and engine", median(glacic.clone()), "µs");
    let added = |times: &[f64]| times.iter().zip(&plain).map(|(time, plain)| time - plain).collect::<Vec<f64>>();
    let of = paired(&added(&glacic), &added(&c));
    ratio("first packet of an undecided flow: added latency against bare C", of, Goal::AtMost(1.10));
}

/// Microseconds from one packet's sending to its arrival.
fn round_trip(socket: &std::net::UdpSocket, capture: &OwnedFd, port: u16) -> f64 {
    let mut buffer = [0; 256];
    let begun = Instant::now();
    traffic::send(socket, port);
    loop {
        while let Ok(Some((size, _))) = sys::receive(capture, &mut buffer) {
            // IPv4 without options: the destination port stands behind 22 bytes.
            if buffer.get(..size).and_then(|packet| packet.get(22..24)) == Some(&port.to_be_bytes()) {
                return begun.elapsed().as_nanos() as f64 / 1e3;
            }
        }
        assert!(wait_readable(capture, 5_000), "the packet to port {port} does not arrive");
    }
}

/// One TCP connection with all there is to send, both directions queued: large packets must come as they are (GSO).
fn bulk(network: &Network) {
    let length = Duration::from_millis(if kit::quick() { 200 } else { 500 });
    let rounds = rounds(7);
    let (mut plain, mut c, mut glacic, mut first) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut port = 20_000;
    let mut measure = || {
        port += 1;
        stream(network, port, length)
    };
    for _ in 0..rounds {
        plain.push(measure());
        c.push(queued(network, &[], Place::Anywhere, with_c, |_| measure()).0);
        glacic.push(queued(network, &[], Place::Anywhere, with_glacic, |_| measure()).0);
        first.push(queued(network, &["-p", "tcp", "--syn"], Place::Anywhere, with_glacic, |_| measure()).0);
    }
    println!("one TCP connection, {rounds} rounds of {length:?}");
    figure("no queue", median(plain.clone()), "Gbit/s");
    figure("all packets queued, bare reader in C", median(c.clone()), "Gbit/s");
    figure("all packets queued, glacic", median(glacic.clone()), "Gbit/s");
    figure("first packets queued (as the ruleset has it), glacic", median(first.clone()), "Gbit/s");
    ratio("bulk TCP, all packets through the queue, against no queue", paired(&glacic, &plain), Goal::AtLeast(0.95));
    ratio("bulk TCP, all packets, against a bare reader in C", paired(&glacic, &c), Goal::AtLeast(0.90));
    ratio("bulk TCP, first packets queued as the ruleset has it", paired(&first, &plain), Goal::AtLeast(0.95));
}

/// Gigabits a second that reach the server.
fn stream(network: &Network, port: u16, length: Duration) -> f64 {
    let listener = network.server.run(|| TcpListener::bind((SERVER_V4, port)).expect("the server listens"));
    let (received, over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a connection comes");
            let mut buffer = vec![0; 256 * 1024];
            while let Ok(size @ 1..) = stream.read(&mut buffer) {
                received.fetch_add(size as u64, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let mut stream = network.lan.run(|| TcpStream::connect((SERVER_V4, port)).expect("the server is reached"));
            let buffer = vec![0x55; 256 * 1024];
            while !over.load(Ordering::Relaxed) {
                stream.write_all(&buffer).expect("the connection stands");
            }
        });
        std::thread::sleep(length / 4);
        let (before, begun) = (received.load(Ordering::Relaxed), Instant::now());
        std::thread::sleep(length);
        let bits = (received.load(Ordering::Relaxed) - before) as f64 * 8.0 / begun.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        bits / 1e9
    })
}
