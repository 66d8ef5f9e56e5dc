use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use super::*;
use crate::control::protocol::{MAX_REQUEST, What};
use crate::flow::Wall;

/// A control socket of its own, in a folder that goes with it.
struct House {
    control: Control,
    folder: PathBuf,
}

impl House {
    fn new(name: &str) -> House {
        let folder = std::env::temp_dir().join(format!("glacic-control-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        House { control: Control::open(&folder.join("control.sock")).unwrap(), folder }
    }

    fn connect(&mut self) -> (UnixStream, Client) {
        let stream = UnixStream::connect(&self.control.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        self.control.accept();
        (stream, Client(self.control.next - 1))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn line(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn a_request_may_come_in_pieces_and_is_answered_once() {
    let mut house = House::new("pieces");
    let (mut stream, client) = house.connect();
    stream.write_all(b"{\"method\":").unwrap();
    assert_eq!(house.control.serve(client), None);
    stream.write_all(b"\"status\"}\n{\"method\":\"stats\"}\n").unwrap();
    assert_eq!(house.control.serve(client), Some(Request::Status));
    assert_eq!(house.control.next_request(client), None, "one at a time");
    house.control.reply(client, "1");
    assert_eq!(line(&stream), "{\"result\":1}\n");
    assert_eq!(house.control.next_request(client), Some(Request::Stats));
}

#[test]
fn nonsense_is_answered_and_does_not_end_the_connection() {
    let mut house = House::new("nonsense");
    let (mut stream, client) = house.connect();
    stream.write_all(b"hello\n{\"method\":\"stats\"}\n").unwrap();
    assert_eq!(house.control.serve(client), Some(Request::Stats));
    assert!(line(&stream).starts_with("{\"error\":{\"code\":\"invalid_request\""));
}

#[test]
fn an_endless_request_is_refused_and_its_sender_let_go() {
    let mut house = House::new("endless");
    let (mut stream, client) = house.connect();
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while house.control.clients.contains_key(&client) {
        sent += stream.write(&[b'x'; 4096]).unwrap_or(0);
        assert!(sent <= 2 * MAX_REQUEST + 1024 * 1024, "never stopped reading");
        assert_eq!(house.control.serve(client), None);
    }
    let mut said = String::new();
    let _ = stream.read_to_string(&mut said);
    assert!(said.contains("at most 65536 bytes"), "{said}");
}

#[test]
fn a_listener_that_does_not_read_is_let_go_and_memory_stays_bounded() {
    let mut house = House::new("deaf");
    let (mut stream, client) = house.connect();
    stream.write_all(b"{\"method\":\"events\"}\n").unwrap();
    house.control.serve(client);
    let event = Event { time: Wall::default(), what: What::ConfigRefused { message: "x".repeat(1000) } };
    let told = (0..10_000).take_while(|_| {
        house.control.broadcast(&event);
        house.control.clients.contains_key(&client)
    });
    assert!((500..5_000).contains(&told.count()));
}

#[test]
fn connections_are_bounded() {
    let mut house = House::new("many");
    let _streams: Vec<_> = (0..CAPACITY).map(|_| house.connect()).collect();
    let mut set = PollSet::new();
    house.control.watch(&mut set, None, Some);
    set.wait(Duration::ZERO).unwrap();
    assert_eq!(house.control.clients.len(), CAPACITY);
    let _one_more = UnixStream::connect(&house.control.path).unwrap();
    set.clear();
    house.control.watch(&mut set, None, Some);
    set.wait(Duration::ZERO).unwrap();
    assert_eq!(set.ready().filter(Option::is_none).count(), 0, "nobody is let in");
}

#[test]
fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
    let house = House::new("dead");
    let path = house.control.path.clone();
    assert_eq!(Control::open(&path).err().unwrap().kind(), io::ErrorKind::AddrInUse);
    let stale = house.folder.join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    assert!(Control::open(&stale).is_ok());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[test]
fn half_a_request_and_an_end_is_an_end() {
    let mut house = House::new("half");
    let (mut stream, client) = house.connect();
    stream.write_all(b"{\"method\"").unwrap();
    assert_eq!(house.control.serve(client), None);
    drop(stream);
    assert_eq!(house.control.serve(client), None);
    assert!(house.control.clients.is_empty(), "it would be readable for ever");
}

#[test]
fn whoever_waits_for_an_answer_wakes_nobody() {
    for end in [false, true] {
        let mut house = House::new("waits");
        let (mut stream, client) = house.connect();
        stream.write_all(b"{\"method\":\"status\"}\n").unwrap();
        assert_eq!(house.control.serve(client), Some(Request::Status));
        stream.write_all(b"{\"method\":\"stats\"}\n").unwrap();
        if end {
            // As `nc -N` does: everything is said, the answer still to come.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut set = PollSet::new();
        house.control.watch(&mut set, None, Some);
        set.wait(Duration::ZERO).unwrap();
        assert_eq!(set.ready().count(), 0, "end: {end}");
        house.control.reply(client, "1");
        assert_eq!(line(&stream), "{\"result\":1}\n");
        assert_eq!(house.control.serve(client), Some(Request::Stats), "end: {end}");
    }
}

#[test]
fn requests_that_came_together_are_answered_without_another_sign_of_life() {
    let mut house = House::new("together");
    let (mut stream, client) = house.connect();
    stream.write_all(b"{\"method\":\"status\"}\n{\"method\":\"stats\"}\n{\"meth").unwrap();
    assert_eq!(house.control.serve(client), Some(Request::Status));
    assert!(house.control.waiting().is_empty(), "one at a time");
    house.control.reply(client, "1");
    assert_eq!(house.control.waiting(), [client]);
    assert_eq!(house.control.next_request(client), Some(Request::Stats));
    house.control.reply(client, "2");
    assert!(house.control.waiting().is_empty(), "half a request is none");
}

#[test]
fn an_endless_talker_does_not_keep_everybody_waiting() {
    let mut house = House::new("talker");
    let (mut stream, client) = house.connect();
    stream.write_all(b"{\"method\":\"events\"}\n").unwrap();
    house.control.serve(client);
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(written) = stream.write(&[b'x'; 4096]) {
        sent += written;
    }
    assert!(sent > 100_000, "{sent}");
    house.control.serve(client);
    assert!(house.control.clients.contains_key(&client));
    let mut set = PollSet::new();
    house.control.watch(&mut set, None, Some);
    set.wait(Duration::ZERO).unwrap();
    assert_eq!(set.ready().count(), 1, "there is more, for the next turn");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let house = House::new("file");
    let file = house.folder.join("flows.db");
    fs::write(&file, "precious").unwrap();
    assert!(Control::open(&file).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}
