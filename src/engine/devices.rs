//! What the engine remembers of each device: how many flows it has, and what was said about it lately; and the modes that
//! the owner gave to devices, known to have flows or not.
//!
//! The table of devices is bounded, and so is the pace at which strangers enter it: somebody on the LAN who sends from a million
//! forged addresses fills neither this table nor the database, and costs no question to the store.

use std::collections::HashMap;
use std::time::Duration;

use crate::flow::{DeviceMode, Mac, Monotonic, Protocol, Rate, State};

use super::limit::Bucket;
use super::scan::{ALERT_EVERY, Tracker};

/// Devices with flows of their own, at most.
pub const CAPACITY: usize = 1024;

/// How quickly strangers may become devices: a full house at once, then a trickle.
pub const NEWCOMERS: Rate = Rate { count: 64, per: Duration::from_secs(320) };

/// Flows without ports (ICMP types, other protocols) that a device may learn: it has a handful of them, and the kernel's sets
/// for them are small. All numbers there are, of some twenty addresses, would fill them.
pub const PORTLESS: u32 = 16;

/// One device.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its flows that somebody has decided about, and those nobody has.
    pub decided: u32,
    pub pending: u32,
    /// Those that are decided and have no ports.
    pub portless: u32,
    pub scan: Tracker,
    /// When its owner was last told that it has all the flows it may have.
    pub full_alert: Option<Monotonic>,
    pub events: Bucket,
}

impl Device {
    fn new(now: Monotonic) -> Device {
        Device {
            decided: 0,
            pending: 0,
            portless: 0,
            scan: Tracker::default(),
            full_alert: None,
            events: Bucket::full(now),
        }
    }

    /// What a flow of this protocol counts for.
    fn counts(&mut self, protocol: Protocol, state: State) -> impl Iterator<Item = &mut u32> {
        let portless = (state != State::Pending && !protocol.has_ports()).then_some(&mut self.portless);
        let of_state = match state {
            State::Pending => &mut self.pending,
            State::Allowed | State::Denied => &mut self.decided,
        };
        [of_state].into_iter().chain(portless)
    }

    /// Keeps the counts right when a flow of this protocol appears, changes or goes.
    pub fn recount(&mut self, protocol: Protocol, before: Option<State>, after: Option<State>) {
        if let Some(state) = before {
            self.counts(protocol, state).for_each(|count| *count = count.saturating_sub(1));
        }
        if let Some(state) = after {
            self.counts(protocol, state).for_each(|count| *count = count.saturating_add(1));
        }
    }

    /// Whether it may learn another flow of this protocol, of so many in all.
    pub fn has_room(&self, protocol: Protocol, most: u32) -> bool {
        self.decided < most && (protocol.has_ports() || self.portless < PORTLESS)
    }

    /// Whether it has no flow at all.
    pub fn is_blank(&self) -> bool {
        self.decided == 0 && self.pending == 0
    }

    /// Whether an alert about its fullness is due; if so it counts as given.
    pub fn full_alert_due(&mut self, now: Monotonic) -> bool {
        due(&mut self.full_alert, now)
    }
}

/// Whether an alert is due that is given once in [`ALERT_EVERY`]; if so it counts as given.
pub fn due(last: &mut Option<Monotonic>, now: Monotonic) -> bool {
    let due = last.is_none_or(|at| now.since(at) >= ALERT_EVERY);
    if due {
        *last = Some(now);
    }
    due
}

/// All devices, by MAC address. Hashed with a random seed, since LAN hosts choose their addresses.
pub struct Devices {
    table: HashMap<Mac, Device>,
    /// Modes other than the default one: the owner's, and as many as the owner gave.
    modes: HashMap<Mac, DeviceMode>,
    newcomers: Bucket,
    /// Whether every device that has flows in the store stands in the table.
    complete: bool,
}

/// Why a stranger did not become a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Devices {
    pub fn new(now: Monotonic) -> Devices {
        Devices { table: HashMap::new(), modes: HashMap::new(), newcomers: Bucket::full(now), complete: true }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn get(&mut self, mac: Mac) -> Option<&mut Device> {
        self.table.get_mut(&mac)
    }

    pub fn mode(&self, mac: Mac) -> DeviceMode {
        self.modes.get(&mac).copied().unwrap_or_default()
    }

    /// Sets a device's mode and returns the one it had.
    pub fn set_mode(&mut self, mac: Mac, mode: DeviceMode) -> DeviceMode {
        let before = match mode {
            DeviceMode::Default => self.modes.remove(&mac),
            _ => self.modes.insert(mac, mode),
        };
        before.unwrap_or_default()
    }

    /// Every device whose mode is not the default one.
    pub fn modes(&self) -> impl Iterator<Item = (Mac, DeviceMode)> {
        self.modes.iter().map(|(mac, mode)| (*mac, *mode))
    }

    /// Whether the store cannot hold a flow of this device.
    pub fn has_nothing_stored(&self, mac: Mac) -> bool {
        match self.table.get(&mac) {
            Some(device) => device.is_blank(),
            None => self.complete,
        }
    }

    /// A device whose flows are known from the store: no pace applies, the bound does.
    pub fn known(&mut self, mac: Mac, now: Monotonic) -> Option<&mut Device> {
        if !self.table.contains_key(&mac) && !self.make_room() {
            self.complete = false;
            return None;
        }
        Some(self.table.entry(mac).or_insert_with(|| Device::new(now)))
    }

    /// The device behind a packet whose flow is to be recorded, and whether it is new.
    pub fn enter(&mut self, mac: Mac, now: Monotonic) -> Result<(&mut Device, bool), TooMany> {
        let new = !self.table.contains_key(&mac);
        if new && (!self.newcomers.take(NEWCOMERS, now) || !self.make_room()) {
            return Err(TooMany);
        }
        Ok((self.table.entry(mac).or_insert_with(|| Device::new(now)), new))
    }

    /// Takes out a device without flows when the table is full.
    fn make_room(&mut self) -> bool {
        if self.table.len() < CAPACITY {
            return true;
        }
        let Some(mac) = self.table.iter().find(|(_, device)| device.is_blank()).map(|(mac, _)| *mac) else {
            return false;
        };
        self.table.remove(&mac);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u64) -> Mac {
        Mac::from_u64(0x0200_0000_0000 + n).unwrap()
    }

    #[test]
    fn strangers_enter_in_a_burst_and_then_at_a_trickle() {
        let mut devices = Devices::new(Monotonic::default());
        let entered = |devices: &mut Devices, second, from| {
            let now = Monotonic::from_secs(second);
            (from..from + 10_000).filter(|n| devices.enter(mac(*n), now).is_ok()).count()
        };
        assert_eq!(entered(&mut devices, 0, 0), 64);
        assert_eq!(entered(&mut devices, 50, 100_000), 10);
    }

    #[test]
    fn the_table_never_grows_beyond_its_bound() {
        let mut devices = Devices::new(Monotonic::default());
        for n in 0..5_000 {
            if let Some(device) = devices.known(mac(n), Monotonic::default()) {
                device.recount(Protocol::TCP, None, Some(State::Allowed));
            }
        }
        assert_eq!(devices.len(), CAPACITY);
        assert!(!devices.has_nothing_stored(mac(4_999)), "left out at start: the store must be asked");
        let later = Monotonic::from_secs(1_000_000);
        assert!(devices.enter(mac(9_999), later).is_err(), "nobody with flows is thrown out for a stranger");
    }

    #[test]
    fn a_blank_device_makes_room_for_another() {
        let mut devices = Devices::new(Monotonic::default());
        for n in 0..CAPACITY as u64 {
            devices.known(mac(n), Monotonic::default()).unwrap();
        }
        assert!(devices.enter(mac(9_999), Monotonic::default()).is_ok());
        assert_eq!(devices.len(), CAPACITY);
    }

    #[test]
    fn counts_follow_the_states() {
        let mut device = Device::new(Monotonic::default());
        for (protocol, portless) in [(Protocol::TCP, 0), (Protocol::ICMP, 1)] {
            device.recount(protocol, None, Some(State::Pending));
            assert_eq!((device.decided, device.pending, device.portless), (0, 1, 0));
            device.recount(protocol, Some(State::Pending), Some(State::Denied));
            assert_eq!((device.decided, device.pending, device.portless), (1, 0, portless));
            device.recount(protocol, Some(State::Denied), None);
            assert!(device.is_blank() && device.portless == 0);
        }
    }
}
