use super::*;

/// A system log of the test's own: a socket as logd's.
struct Logd {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Logd {
    fn new(name: &str) -> Logd {
        let path = std::env::temp_dir().join(format!("glacic-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Logd { path, socket }
    }

    fn next(&self) -> Option<String> {
        let mut buffer = [0; 2048];
        let read = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..read].to_vec()).unwrap())
    }

    /// As logd would show it: the number in front, and the text after what it takes for a time.
    fn shown(&self) -> Option<(u8, String)> {
        let line = self.next()?;
        let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
        let text = if rest.as_bytes().get(15) == Some(&b' ') { &rest[16..] } else { rest };
        Some((number.parse().ok()?, text.to_owned()))
    }
}

impl Drop for Logd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn tagged(text: &str) -> String {
    format!("glacic[{}]: {text}", std::process::id())
}

#[test]
fn a_line_stays_one_line_of_bounded_length() {
    assert_eq!(bounded("a\nb\u{1b}[31m".to_owned()), "a b [31m");
    let long = bounded("ä".repeat(2000));
    assert!(long.len() <= LONGEST && long.chars().all(|c| c == 'ä'));
}

#[test]
fn levels_arrive_as_severities_of_the_facility_daemon() {
    let logd = Logd::new("levels");
    let logger = Logger::new(Some(&logd.path));
    for (level, number) in [(Level::Error, 27), (Level::Warn, 28), (Level::Info, 30), (Level::Debug, 31)] {
        logger.take(level, "a line".to_owned());
        assert_eq!(logd.shown(), Some((number, tagged("a line"))));
    }
}

/// logd cuts 16 bytes off whatever has a space in the right place: without a time, that would often be our name.
#[test]
fn no_line_loses_its_beginning() {
    let logd = Logd::new("beginning");
    let logger = Logger::new(Some(&logd.path));
    for lead in 0..16 {
        let text = format!("{} x", "y".repeat(lead));
        logger.take(Level::Info, text.clone());
        assert_eq!(logd.shown(), Some((30, tagged(&text))));
    }
}

#[test]
fn times_are_as_they_are_written_everywhere() {
    let stamp = |seconds| stamp(Wall { seconds });
    assert_eq!(stamp(0), "Jan  1 00:00:00");
    assert_eq!(stamp(951_782_399), "Feb 28 23:59:59");
    assert_eq!(stamp(951_782_400), "Feb 29 00:00:00");
    assert_eq!(stamp(1_795_705_445), "Nov 26 15:04:05");
    assert_eq!(stamp(4_102_444_799), "Dec 31 23:59:59");
    for seconds in (-3_000_000_000..9_000_000_000).step_by(40_000_003) {
        assert!(stamp(seconds).len() == 15, "{}", stamp(seconds));
    }
}

#[test]
fn a_full_log_holds_nobody_up_and_what_was_left_out_is_counted() {
    let logd = Logd::new("full");
    let logger = Logger::new(Some(&logd.path));
    // How many datagrams the kernel keeps for a reader that does not read (net.unix.max_dgram_qlen, or what the sender may
    // have under way) is each machine's own affair: here it is some dozen.
    let socket = logger.syslog.as_ref().unwrap().socket.as_raw_fd();
    let bytes: libc::c_int = 16 * 1024;
    // SAFETY: `bytes` is an int of the size that is told, and outlives the call.
    let done = unsafe {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const bytes).cast(), length)
    };
    assert_eq!(done, 0);
    for _ in 0..150 {
        logger.take(Level::Info, "x".repeat(LONGEST));
    }
    let left_out = logger.left_out.load(Ordering::Relaxed);
    assert!(left_out > 0, "the log was never full");
    let mut arrived = 0;
    while logd.next().is_some() {
        arrived += 1;
    }
    assert_eq!(arrived + left_out, 150);
    logger.take(Level::Warn, "again".to_owned());
    assert_eq!(logd.shown(), Some((28, tagged(&format!("again ({left_out} lines before this one were left out)")))));
}

#[test]
fn a_flood_of_lines_is_cut() {
    let logd = Logd::new("flood");
    let logger = Logger::new(Some(&logd.path));
    let (mut arrived, mut told) = (0, 0);
    for _ in 0..1000 {
        logger.take(Level::Info, "the same".to_owned());
        let Some(line) = logd.next() else { continue };
        arrived += 1;
        // A line that comes through later tells of those before it, and what it tells is not counted any more.
        let count = line.split_once('(').and_then(|(_, rest)| rest.split(' ').next());
        told += count.map_or(0, |count| count.parse::<u32>().unwrap());
    }
    // A slow machine lets some more through meanwhile: one in 300 ms.
    assert!((RATE.count..RATE.count + 500).contains(&arrived), "{arrived} lines");
    assert_eq!(logger.left_out.load(Ordering::Relaxed) + told, 1000 - arrived);
}

#[test]
fn a_log_that_is_started_again_is_found_again() {
    let first = Logd::new("again");
    let logger = Logger::new(Some(&first.path));
    logger.take(Level::Info, "one".to_owned());
    assert!(first.next().is_some());
    drop(first);
    // Nobody is there: standard error has it.
    logger.take(Level::Info, "two".to_owned());
    assert_eq!(logger.left_out.load(Ordering::Relaxed), 0);
    let second = Logd::new("again");
    logger.take(Level::Info, "three".to_owned());
    assert_eq!(second.shown(), Some((30, tagged("three"))));
}
