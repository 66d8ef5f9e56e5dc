//! The client against small daemons that behave, and that do not.

use super::*;
use crate::control::protocol::{Code, FlowPage, What};
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// A directory of its own for a socket, gone at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("glacic-client-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        Place(place)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A daemon that reads one request and does `then` with the connection; returns the request.
fn daemon(place: &Place, then: impl FnOnce(UnixStream) + Send + 'static) -> JoinHandle<String> {
    let listener = UnixListener::bind(place.socket()).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut request).unwrap();
        then(stream);
        request
    })
}

fn say(mut stream: &UnixStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn ask(place: &Place, patience: Duration) -> Result<FlowPage, Fault> {
    Client::connect_within(&place.socket(), patience)?.ask(&Request::FlowList(Default::default()))
}

const LONG: Duration = Duration::from_secs(20);
const PAGE: &str = "{\"result\":{\"flows\":[],\"total\":7}}\n";

#[test]
fn a_request_is_a_line_and_so_is_the_reply() {
    let place = Place::new();
    let daemon = daemon(&place, |stream| say(&stream, PAGE));
    assert_eq!(ask(&place, LONG).unwrap(), FlowPage { flows: vec![], total: 7 });
    assert_eq!(Request::parse(daemon.join().unwrap().trim()), Ok(Request::FlowList(Default::default())));
}

#[test]
fn a_reply_may_come_in_pieces_and_two_in_one() {
    let place = Place::new();
    let daemon = daemon(&place, |stream| {
        for byte in PAGE.bytes() {
            say(&stream, char::from(byte).encode_utf8(&mut [0; 4]));
        }
        let mut more = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut more).unwrap();
        say(&stream, &format!("{}{}", PAGE.replace('7', "8"), PAGE.replace('7', "9")));
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut more).unwrap();
    });
    let mut client = Client::connect_within(&place.socket(), LONG).unwrap();
    for total in [7, 8, 9] {
        let page: FlowPage = client.ask(&Request::FlowList(Default::default())).unwrap();
        assert_eq!(page.total, total);
    }
    daemon.join().unwrap();
}

#[test]
fn a_refusal_is_what_the_daemon_said() {
    let place = Place::new();
    let daemon = daemon(&place, |stream| {
        say(&stream, "{\"error\":{\"code\":\"not_found\",\"message\":\"there is no flow 9\"}}\n");
    });
    let Err(Fault::Refused(error)) = ask(&place, LONG) else { panic!() };
    assert_eq!(error, Error::new(Code::NotFound, "there is no flow 9"));
    daemon.join().unwrap();
}

#[test]
fn an_endless_reply_is_given_up() {
    let place = Place::new();
    let daemon = daemon(&place, |mut stream| {
        let piece = [b'a'; 65536];
        while stream.write_all(&piece).is_ok() {}
    });
    assert!(matches!(ask(&place, LONG), Err(Fault::TooLong)));
    daemon.join().unwrap();
}

#[test]
fn a_connection_that_closes_in_the_middle_is_told_from_silence() {
    for part in ["", "{\"result\":"] {
        let place = Place::new();
        let daemon = daemon(&place, move |stream| say(&stream, part));
        assert!(matches!(ask(&place, LONG), Err(Fault::Closed)), "{part:?}");
        daemon.join().unwrap();
    }
}

#[test]
fn silence_and_dribble_end_with_the_patience() {
    let patience = Duration::from_millis(50);
    for dribble in [false, true] {
        let place = Place::new();
        let daemon = daemon(&place, move |mut stream| {
            // Until the asker has gone.
            while dribble && stream.write_all(b" ").is_ok() {
                std::thread::yield_now();
            }
            let _ = stream.read(&mut [0]);
        });
        assert!(matches!(ask(&place, patience), Err(Fault::NoAnswer { .. })), "{dribble}");
        daemon.join().unwrap();
    }
}

#[test]
fn nonsense_is_called_so() {
    for line in ["\n", "{}\n", "{\"result\":{\"flows\":7}}\n", "\u{1b}[2J\n"] {
        let place = Place::new();
        let daemon = daemon(&place, move |stream| say(&stream, line));
        let Err(Fault::Unreadable(what)) = ask(&place, LONG) else { panic!("{line:?}") };
        assert!(!what.contains('\u{1b}'), "{what:?}");
        daemon.join().unwrap();
    }
}

#[test]
fn no_daemon_is_told_with_its_remedy() {
    let place = Place::new();
    let Err(fault @ Fault::NotRunning { stale: false, .. }) = ask(&place, LONG) else { panic!() };
    let socket = place.socket();
    assert_eq!(
        fault.to_string(),
        format!("the daemon is not running (no socket at {}): start it with `service glacic start`", socket.display())
    );
    // What a killed daemon leaves behind.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(matches!(ask(&place, LONG), Err(Fault::NotRunning { stale: true, .. })));
}

#[test]
fn a_stopped_daemon_with_a_full_backlog_does_not_hold_anybody() {
    let place = Place::new();
    let _listener = UnixListener::bind(place.socket()).unwrap();
    let mut waiting = Vec::new();
    let fault = loop {
        assert!(waiting.len() < 100_000, "the backlog never fills");
        match Client::connect_within(&place.socket(), Duration::from_millis(200)) {
            Ok(client) => waiting.push(client),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, Fault::NoAnswer { .. }), "{fault}");
}

#[test]
fn events_come_until_the_daemon_goes_away() {
    let place = Place::new();
    let daemon = daemon(&place, |stream| {
        say(
            &stream,
            "{\"result\":{}}\n{\"time\":5,\"event\":\"config_reloaded\"}\n{\"time\":6,\"event\":\"learning_changed\",",
        );
        say(&stream, "\"learning\":true}\n");
    });
    let events = Client::connect_within(&place.socket(), LONG).unwrap().events().unwrap();
    let what: Vec<What> = events.map(|event| event.unwrap().what).collect();
    assert_eq!(what, [What::ConfigReloaded, What::LearningChanged { learning: true }]);
    assert_eq!(Request::parse(daemon.join().unwrap().trim()), Ok(Request::Events));
}

#[test]
fn a_daemon_that_has_enough_listeners_says_so() {
    let place = Place::new();
    let daemon = daemon(&place, |stream| say(&stream, "{\"error\":{\"code\":\"busy\",\"message\":\"too many\"}}\n"));
    let refused = Client::connect_within(&place.socket(), LONG).unwrap().events().err();
    assert!(matches!(refused, Some(Fault::Refused(error)) if error.code == Code::Busy));
    daemon.join().unwrap();
}
