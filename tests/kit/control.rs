//! Talks to the daemon as any program on the router may: one JSON request a line, one JSON reply a line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use glacic::control::protocol::{Decided, Error, Event, FlowPage, LearningSet, Request, Stats, Status};
use glacic::flow::query::{Filter, Query, Selection, Service};
use glacic::flow::view::FlowView;
use glacic::flow::{Mac, Port, Protocol, State};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wait::{POSITIVE, eventually};

/// A reply must come in this time, also from a loaded machine.
const REPLY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct Control {
    socket: PathBuf,
}

/// Why there is no reply.
#[derive(Debug)]
pub enum Fault {
    /// Nobody answers: the daemon is not there, stopped, or closed the connection.
    Silent(std::io::Error),
    /// The daemon refused.
    Refused(Error),
}

impl Control {
    pub fn new(socket: &Path) -> Control {
        Control { socket: socket.to_owned() }
    }

    /// Sends a request over a connection of its own and returns the result.
    pub fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Fault> {
        let mut stream = UnixStream::connect(&self.socket).map_err(Fault::Silent)?;
        stream.set_read_timeout(Some(REPLY)).map_err(Fault::Silent)?;
        writeln!(stream, "{}", request.to_line()).map_err(Fault::Silent)?;
        let mut line = String::new();
        let size = BufReader::new(stream).read_line(&mut line).map_err(Fault::Silent)?;
        if size == 0 {
            return Err(Fault::Silent(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let mut reply: Value = serde_json::from_str(&line).unwrap_or_else(|fault| panic!("{fault} in reply {line}"));
        if let Some(error) = reply.get_mut("error") {
            let error = serde_json::from_value(error.take()).unwrap_or_else(|fault| panic!("{fault} in reply {line}"));
            return Err(Fault::Refused(error));
        }
        let result = reply.get_mut("result").unwrap_or_else(|| panic!("neither result nor error: {line}")).take();
        Ok(serde_json::from_value(result).unwrap_or_else(|fault| panic!("{fault} in reply {line}")))
    }

    fn must<T: DeserializeOwned>(&self, request: &Request) -> T {
        self.ask(request).unwrap_or_else(|fault| panic!("{}: {fault:?}", request.to_line()))
    }

    pub fn status(&self) -> Status {
        self.must(&Request::Status)
    }

    pub fn stats(&self) -> Stats {
        self.must(&Request::Stats)
    }

    /// The first page of what a filter matches, as long as a page can be.
    pub fn flows(&self, filter: Filter) -> FlowPage {
        self.must(&Request::FlowList(Query { filter, limit: Query::MAX_LIMIT, ..Query::default() }))
    }

    /// Every flow of a device.
    pub fn flows_of(&self, mac: Mac) -> Vec<FlowView> {
        self.flows(Filter { device: Some(mac.to_string()), ..Filter::default() }).flows
    }

    /// One flow's state; `None` if it is not recorded.
    pub fn state(&self, mac: Mac, proto: Protocol, port: u16) -> Option<State> {
        let flows = self.flows_of(mac);
        flows.iter().find(|flow| flow.proto == proto && flow.port == Port::Number(port)).map(|flow| flow.state)
    }

    /// Waits until a flow has a state.
    #[track_caller]
    pub fn reaches(&self, mac: Mac, proto: Protocol, port: u16, state: State) {
        let what = format!("{mac} {proto}/{port} becomes {state:?}; flows: {:?}", self.flows_of(mac));
        eventually(&what, || (self.state(mac, proto, port) == Some(state)).then_some(()));
    }

    pub fn allow(&self, mac: Mac, proto: Protocol, port: Port) -> Decided {
        self.must(&Request::FlowAllow(service(mac, proto, port)))
    }

    pub fn deny(&self, mac: Mac, proto: Protocol, port: Port) -> Decided {
        self.must(&Request::FlowDeny(service(mac, proto, port)))
    }

    /// Switches the learning mode, and waits until the kernel follows it.
    pub fn learning(&self, on: bool) {
        let _: Value = self.must(&Request::LearningSet(LearningSet { on, seconds: None }));
        eventually(&format!("learning is {on}"), || {
            (self.status().learning == on && self.stats().firewall_queue == 0).then_some(())
        });
    }

    /// Waits until so many decisions about flows are in the kernel's sets.
    #[track_caller]
    pub fn decided_in_kernel(&self, flows: usize) {
        eventually(&format!("{flows} decisions are in the kernel's sets"), || {
            let stats = self.stats();
            let held: u64 = stats.sets.iter().filter(|(name, _)| name.starts_with("flows")).map(|(_, size)| size).sum();
            (stats.firewall_queue == 0 && held == flows as u64).then_some(())
        });
    }

    /// Follows events from now on.
    pub fn events(&self) -> Events {
        let mut stream = UnixStream::connect(&self.socket).expect("the daemon answers");
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a stream takes a time limit");
        writeln!(stream, "{}", Request::Events.to_line()).expect("the daemon reads");
        let mut events = Events { stream: BufReader::new(stream), half: String::new() };
        eventually("the daemon says that it will tell", || {
            let _ = events.stream.read_line(&mut events.half);
            events.half.ends_with('\n').then_some(())
        });
        events.half.clear();
        events
    }
}

fn service(mac: Mac, proto: Protocol, port: Port) -> Selection {
    Selection::Service(Service { device: mac.to_string(), proto, port })
}

/// A stream of events.
pub struct Events {
    stream: BufReader<UnixStream>,
    half: String,
}

impl Events {
    /// Waits for an event of the kind asked for; others before it are skipped.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut skipped = Vec::new();
        let deadline = Instant::now() + POSITIVE;
        while Instant::now() < deadline {
            match self.next() {
                Some(event) if wanted(&event) => return event,
                Some(event) => skipped.push(event),
                None => {}
            }
        }
        panic!("no event within {POSITIVE:?}: {what}; skipped {skipped:?}");
    }

    /// Everything that comes until nothing has come for a while.
    pub fn drain(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut quiet = Instant::now();
        while quiet.elapsed() < super::NEGATIVE {
            if let Some(event) = self.next() {
                events.push(event);
                quiet = Instant::now();
            }
        }
        events
    }

    /// The next event, if one comes at once. What acknowledges the request is no event.
    fn next(&mut self) -> Option<Event> {
        match self.stream.read_line(&mut self.half) {
            Ok(0) => panic!("the daemon closed the stream of events"),
            Ok(_) => {
                let line = std::mem::take(&mut self.half);
                let value: Value = serde_json::from_str(&line).unwrap_or_else(|fault| panic!("{fault} in {line}"));
                value.get("event")?;
                Some(serde_json::from_value(value).unwrap_or_else(|fault| panic!("{fault} in {line}")))
            }
            // What was read of a line stays in `half`.
            Err(fault) if matches!(fault.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => None,
            Err(fault) => panic!("the stream of events broke: {fault}"),
        }
    }
}
