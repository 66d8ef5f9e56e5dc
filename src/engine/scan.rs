//! The port-scan guard: tells when a device tries one port after another.
//!
//! A phone that joins the network looks like a scan as well, so learning goes on; only the owner is spared a line a
//! port.

use std::time::Duration;

use heapless::Deque;

use crate::flow::{Monotonic, Protocol};

/// From so many distinct ports on, within [`WINDOW`], a device scans.
pub const PORTS: usize = 10;
/// The span in which they count.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Between two alerts about the same thing.
pub const ALERT_EVERY: Duration = Duration::from_secs(60 * 60);

/// What a new flow means for its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Nothing unusual: report the flow.
    Quiet,
    /// A scan: do not report the flow, but say once that there is a scan.
    Alert,
    /// A scan that has been reported.
    Folded,
}

/// The newest distinct ports of one device.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    /// Port, protocol and the second it was first tried.
    tried: Deque<(u16, u8, u32), PORTS>,
    alerted: Option<Monotonic>,
}

impl Tracker {
    /// Notes a flow that was not known before.
    pub fn note(&mut self, protocol: Protocol, port: u16, now: Monotonic) -> Scan {
        let second = u32::try_from(now.millis / 1000).unwrap_or(u32::MAX);
        let oldest = second.saturating_sub(WINDOW.as_secs() as u32);
        while self.tried.front().is_some_and(|(_, _, at)| *at < oldest) {
            self.tried.pop_front();
        }
        if !self.tried.iter().any(|(p, n, _)| (*p, *n) == (port, protocol.0)) {
            if self.tried.is_full() {
                self.tried.pop_front();
            }
            // There is room: one was just taken out if there was none.
            let _ = self.tried.push_back((port, protocol.0, second));
        }
        if self.tried.len() < PORTS {
            return Scan::Quiet;
        }
        match self.alerted {
            Some(at) if now.since(at) < ALERT_EVERY => Scan::Folded,
            _ => {
                self.alerted = Some(now);
                Scan::Alert
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(tracker: &mut Tracker, port: u16, second: u64) -> Scan {
        tracker.note(Protocol::TCP, port, Monotonic::from_secs(second))
    }

    #[test]
    fn the_tenth_distinct_port_within_five_minutes_raises_one_alert_an_hour() {
        let mut tracker = Tracker::default();
        for port in 1..10 {
            assert_eq!(note(&mut tracker, port, port.into()), Scan::Quiet);
        }
        assert_eq!(note(&mut tracker, 10, 10), Scan::Alert);
        for port in 11..500 {
            assert_eq!(note(&mut tracker, port, 11), Scan::Folded);
        }
        for port in 500..509 {
            note(&mut tracker, port, 3610);
        }
        assert_eq!(note(&mut tracker, 509, 3611), Scan::Alert);
    }

    #[test]
    fn one_port_again_and_again_is_no_scan() {
        let mut tracker = Tracker::default();
        assert!((0..100).all(|second| note(&mut tracker, 443, second) == Scan::Quiet));
    }

    #[test]
    fn the_same_number_of_another_protocol_is_another_port() {
        let mut tracker = Tracker::default();
        for port in 1..=5 {
            note(&mut tracker, port, 0);
        }
        for port in 1..=4 {
            assert_eq!(tracker.note(Protocol::UDP, port, Monotonic::default()), Scan::Quiet);
        }
        assert_eq!(tracker.note(Protocol::UDP, 5, Monotonic::default()), Scan::Alert);
    }

    #[test]
    fn slow_newcomers_are_no_scan() {
        let mut tracker = Tracker::default();
        assert!((0..100).all(|n| note(&mut tracker, n, u64::from(n) * 34) == Scan::Quiet));
    }
}
