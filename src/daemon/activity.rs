//! What went on lately: new flows and drops over a day, and who was most active. A record in memory, lost at restart.
//!
//! Its size is fixed. Time is that since boot; wall times are made of it when somebody asks, so that a clock that is set
//! meanwhile changes nothing.

use std::time::Duration;

use super::busiest::{Busiest, Tally};
use crate::control::protocol::{ActiveDevice, ActiveService, Activity, Slot};
use crate::firewall::Subject;
use crate::flow::{Key, Mac, Monotonic, Now, Port, Protocol};

/// How long a slot is, and how many there are: a day.
const STEP: Duration = Duration::from_secs(900);
const SLOTS: usize = 96;
/// The same for the last hour alone, in finer slots: it is known to five minutes.
const FINE_STEP: Duration = Duration::from_secs(300);
const FINE_SLOTS: usize = 13;
/// What is older than one to two of these does not count for who is most active.
const GENERATION: Duration = Duration::from_secs(12 * 3600);
/// How many are shown.
const SHOWN: usize = 10;

/// Counts by spans of time, the oldest of which is dropped.
struct Ring<T, const N: usize> {
    step: Duration,
    slots: [T; N],
    /// The number of the slot that is being filled, counted from the beginning of the record.
    current: u64,
}

impl<T: Copy + Default, const N: usize> Ring<T, N> {
    fn new(step: Duration) -> Ring<T, N> {
        Ring { step, slots: [T::default(); N], current: 0 }
    }

    /// The slot of this moment. `age` is the time since the record began.
    fn now(&mut self, age: Duration) -> &mut T {
        let number = u64::try_from(age.as_millis() / self.step.as_millis()).unwrap_or(u64::MAX);
        let passed = number.saturating_sub(self.current);
        for skipped in 0..passed.min(N as u64) {
            *self.at(number - skipped) = T::default();
        }
        self.current = self.current.max(number);
        self.at(self.current)
    }

    fn at(&mut self, number: u64) -> &mut T {
        &mut self.slots[(number % N as u64) as usize]
    }

    /// All slots so far with their numbers, the oldest first.
    fn all(&self) -> impl Iterator<Item = (u64, T)> {
        let first = self.current.saturating_sub(N as u64 - 1);
        (first..=self.current).map(|number| (number, self.slots[(number % N as u64) as usize]))
    }
}

/// Counts of one span.
#[derive(Clone, Copy, Default)]
struct Counts {
    new_flows: u32,
    dropped: u32,
}

/// The record.
pub struct Record {
    began: Monotonic,
    day: Ring<Counts, SLOTS>,
    hour: Ring<u32, FINE_SLOTS>,
    generation: u64,
    devices: Busiest<Mac>,
    services: Busiest<(Protocol, Port)>,
    /// What the kernel had dropped when it was last asked.
    by_kernel: u64,
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Record {
    pub fn new(now: Monotonic) -> Record {
        Record {
            began: now,
            day: Ring::new(STEP),
            hour: Ring::new(FINE_STEP),
            generation: 0,
            devices: Busiest::new(),
            services: Busiest::new(),
            by_kernel: 0,
        }
    }

    /// A flow that nobody had seen.
    pub fn new_flow(&mut self, key: &Key, now: Monotonic) {
        let slot = self.day.now(now.since(self.began));
        slot.new_flows = slot.new_flows.saturating_add(1);
        self.connections(key, 1, now);
    }

    /// Connections of a known flow.
    pub fn connections(&mut self, key: &Key, count: u32, now: Monotonic) {
        self.tally(key, Tally { connections: count, dropped: 0 }, now);
    }

    /// Packets that were not let through, whoever sent them.
    pub fn dropped(&mut self, count: u32, now: Monotonic) {
        let age = now.since(self.began);
        let slot = self.day.now(age);
        slot.dropped = slot.dropped.saturating_add(count);
        let slot = self.hour.now(age);
        *slot = slot.saturating_add(count);
    }

    /// Packets that the kernel has dropped by itself, as a total that only grows.
    pub fn dropped_by_kernel(&mut self, total: u64, now: Monotonic) {
        let more = total.saturating_sub(self.by_kernel);
        self.by_kernel = self.by_kernel.max(total);
        self.dropped(narrow(more), now);
    }

    /// Packets of a denied flow or device, which the kernel has dropped by itself. In the total they are with
    /// [`Record::dropped_by_kernel`].
    pub fn denied(&mut self, subject: Subject, packets: u64, now: Monotonic) {
        match subject {
            Subject::Flow(key) => self.dropped_of(&key, narrow(packets), now),
            Subject::Device(mac) => {
                self.age(now);
                self.devices.add(mac, Tally { connections: 0, dropped: narrow(packets) });
            }
        }
    }

    /// Whose packets did not pass. Counted apart from [`Record::dropped`]: the kernel tells how many, and not always of whom.
    pub fn dropped_of(&mut self, key: &Key, count: u32, now: Monotonic) {
        self.tally(key, Tally { connections: 0, dropped: count }, now);
    }

    fn tally(&mut self, key: &Key, tally: Tally, now: Monotonic) {
        self.age(now);
        self.devices.add(key.mac, tally);
        self.services.add((key.protocol, key.port), tally);
    }

    /// Forgets what is too old for the most active ones.
    fn age(&mut self, now: Monotonic) {
        let generation = now.since(self.began).as_secs() / GENERATION.as_secs();
        for _ in 0..generation.saturating_sub(self.generation).min(2) {
            self.devices.age();
            self.services.age();
        }
        self.generation = self.generation.max(generation);
    }

    /// Packets dropped in the last hour, up to five minutes more.
    pub fn dropped_last_hour(&mut self, now: Monotonic) -> u64 {
        self.hour.now(now.since(self.began));
        self.hour.all().map(|(_, dropped)| u64::from(dropped)).sum()
    }

    /// The record as it is shown.
    pub fn show(&mut self, now: Now, name: impl Fn(Mac) -> Option<String>) -> Activity {
        let age = now.mono.since(self.began);
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let began = now.wall.seconds.saturating_sub(seconds(age));
        self.day.now(age);
        let slots = self.day.all().map(|(number, counts)| Slot {
            at: began.saturating_add(i64::try_from(number.saturating_mul(STEP.as_secs())).unwrap_or(i64::MAX)),
            new_flows: counts.new_flows,
            dropped: counts.dropped,
        });
        let slots: Vec<Slot> = slots.collect();
        Activity {
            step: STEP.as_secs(),
            since: slots.first().map_or(began, |slot| slot.at),
            slots,
            devices: self
                .devices
                .top(SHOWN)
                .map(|(mac, tally)| ActiveDevice {
                    mac,
                    device: name(mac),
                    connections: tally.connections,
                    dropped: tally.dropped,
                })
                .collect(),
            services: self
                .services
                .top(SHOWN)
                .map(|((proto, port), tally)| ActiveService {
                    proto,
                    port,
                    connections: tally.connections,
                    dropped: tally.dropped,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Wall;

    const CAMERA: Mac = Mac([0xb8, 0x27, 0xeb, 0, 0, 1]);
    const START: Monotonic = Monotonic::from_secs(5000);

    fn key(port: u16) -> Key {
        Key::service(CAMERA, Protocol::TCP, Port::Number(port))
    }

    /// So many seconds after the beginning, by a clock that was set meanwhile or not.
    fn at(seconds: u64) -> Now {
        Now { mono: Monotonic::from_secs(5000 + seconds), wall: Wall { seconds: 1_790_000_000 + seconds as i64 } }
    }

    fn show(record: &mut Record, seconds: u64) -> Activity {
        record.show(at(seconds), |_| None)
    }

    #[test]
    fn slots_are_a_quarter_of_an_hour_and_the_oldest_comes_first() {
        let mut record = Record::new(START);
        record.new_flow(&key(1), at(0).mono);
        record.new_flow(&key(2), at(899).mono);
        record.new_flow(&key(3), at(1800).mono);
        record.dropped(7, at(1801).mono);
        let shown = show(&mut record, 2000);
        let counts: Vec<_> = shown.slots.iter().map(|slot| (slot.at, slot.new_flows, slot.dropped)).collect();
        assert_eq!(counts, [(1_790_000_000, 2, 0), (1_790_000_900, 0, 0), (1_790_001_800, 1, 7)]);
        assert_eq!((shown.step, shown.since), (900, 1_790_000_000));
    }

    #[test]
    fn a_day_is_kept_and_what_is_older_is_gone() {
        let mut record = Record::new(START);
        record.dropped(1, at(0).mono);
        record.dropped(2, at(900).mono);
        let day = 96 * 900;
        assert_eq!(show(&mut record, day - 1).slots.len(), 96);
        let shown = show(&mut record, day);
        assert_eq!((shown.slots.len(), shown.slots[0].dropped, shown.slots[95].dropped), (96, 2, 0));
        assert_eq!(shown.since, 1_790_000_900);
        assert!(show(&mut record, 10 * day).slots.iter().all(|slot| slot.dropped == 0));
    }

    #[test]
    fn the_last_hour_is_known_to_five_minutes() {
        let mut record = Record::new(START);
        record.dropped(3, at(0).mono);
        assert_eq!(record.dropped_last_hour(at(3600).mono), 3);
        assert_eq!(record.dropped_last_hour(at(3900).mono), 0);
    }

    #[test]
    fn a_clock_that_is_set_later_moves_the_whole_record() {
        let mut record = Record::new(START);
        record.dropped(1, at(0).mono);
        let before = record.show(Now { wall: Wall { seconds: 100 }, ..at(50) }, |_| None);
        assert_eq!(before.since, 50);
        assert_eq!(show(&mut record, 50).since, 1_790_000_000);
    }

    #[test]
    fn who_was_active_yesterday_is_not_so_today() {
        let mut record = Record::new(START);
        record.connections(&key(443), 5, at(0).mono);
        record.dropped_of(&Key { protocol: Protocol::UDP, ..key(53) }, 2, at(10).mono);
        let shown = record.show(at(20), |_| Some("camera".to_owned()));
        assert_eq!(
            shown.devices,
            [ActiveDevice { mac: CAMERA, device: Some("camera".into()), connections: 5, dropped: 2 }]
        );
        assert_eq!(shown.services.len(), 2);
        assert_eq!((shown.services[0].port, shown.services[0].connections), (Port::Number(443), 5));
        record.connections(&key(80), 1, at(13 * 3600).mono);
        assert_eq!(show(&mut record, 13 * 3600).devices[0].connections, 6, "half a day ago still counts");
        record.connections(&key(80), 1, at(25 * 3600).mono);
        assert_eq!(show(&mut record, 25 * 3600).devices[0].connections, 2);
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Record>() < 2048, "{}", size_of::<Record>());
    }
}
