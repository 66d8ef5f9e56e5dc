//! Elements of nf_tables sets: put, removed and listed without an `nft` process (microseconds instead of milliseconds,
//! and no tens of megabytes for a listing).
//!
//! Changes go to the kernel in transactions. One change that fails undoes its whole transaction, so it is found by its
//! sequence number, left out, and the rest is sent again: a bad element never blocks the others.

use std::collections::BTreeMap;

use super::attributes::messages;
use super::exchange::{Exchange, failed, refused};
use super::tables::{self, Table};
use super::{Cause, Error, Family, Receipt};

pub use super::key::KeyBytes;
pub use super::tables::{Element, TableFamily};

/// Changes in one transaction: enough to share its cost, few enough that the answers to all of them fit the socket.
const TRANSACTION: usize = 256;
/// Bytes of the socket's buffer: an answer to a refused change takes about a kilobyte of it.
const SOCKET_BUFFER: usize = 1 << 20;

/// One change of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    pub set: &'a str,
    pub key: KeyBytes,
    /// Put it there (it may be there already), or take it away (it may be gone already).
    pub put: bool,
}

/// What became of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Changes that are in the kernel now.
    pub done: usize,
    /// Those that are not: their index, and why.
    pub failed: Vec<(usize, Error)>,
}

/// What a listing brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing {
    pub elements: usize,
    /// The ruleset changed meanwhile: elements may be missing or listed twice.
    pub interrupted: bool,
}

/// The sets of one table.
#[derive(Debug)]
pub struct Sets {
    exchange: Exchange,
    table: Table,
}

/// What the kernel said to a transaction.
#[derive(Debug, Default)]
struct Said {
    /// Changes it refused: their place in the transaction, and why.
    refused: BTreeMap<usize, Error>,
    /// Why it refused the whole.
    whole: Option<Error>,
}

impl Sets {
    /// A way to the sets of `table`, which need not exist yet.
    pub fn open(family: TableFamily, table: &str) -> Result<Sets, Error> {
        let exchange = Exchange::open(Family::Netfilter)?;
        exchange.socket.set_receive_buffer(SOCKET_BUFFER);
        Ok(Sets { exchange, table: Table { family, name: table.to_owned() } })
    }

    /// Puts and removes elements, in transactions of up to 256. A change that fails is left out and the rest done.
    pub fn apply(&mut self, changes: &[Change<'_>]) -> Applied {
        let mut applied = Applied::default();
        let indexed: Vec<(usize, &Change<'_>)> = changes.iter().enumerate().collect();
        for some in indexed.chunks(TRANSACTION) {
            self.apply_some(some.to_vec(), &mut applied);
        }
        applied.failed.sort_by_key(|(index, _)| *index);
        applied
    }

    fn apply_some(&mut self, mut changes: Vec<(usize, &Change<'_>)>, applied: &mut Applied) {
        // Each turn leaves out one change at least. Should answers not fit the socket, a later turn brings them.
        while !changes.is_empty() {
            let said = self.transaction(changes.len(), |table, builder, first| {
                for ((_, change), sequence) in changes.iter().zip(first..) {
                    table.element(builder, sequence, change.set, change.key.as_bytes(), change.put);
                }
            });
            if !said.refused.is_empty() {
                leave_out(&mut changes, said.refused, applied);
                continue;
            }
            match said.whole {
                None => {
                    applied.done = applied.done.saturating_add(changes.len());
                    return;
                }
                Some(error) => {
                    applied.failed.extend(changes.iter().map(|(index, _)| (*index, error.clone())));
                    return;
                }
            }
        }
    }

    /// Hands over every element of `set`.
    pub fn elements(&mut self, set: &str, mut take: impl FnMut(Element<'_>)) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        let table = &self.table;
        let ended = self.exchange.ask(
            "list the elements of a set",
            |builder, sequence| table.list_elements(builder, sequence, set),
            |message| {
                for element in tables::elements(&message) {
                    listing.elements = listing.elements.saturating_add(1);
                    take(element);
                }
            },
        );
        listing.interrupted =
            ended.map_err(|error| Error { what: format!("list the set {set}").into(), ..error })?.interrupted;
        Ok(listing)
    }

    /// Whether the table is there.
    pub fn table_exists(&mut self) -> Result<bool, Error> {
        Ok(self.table_comment()?.is_some())
    }

    /// The table's comment, empty if it has none; `None` if there is no such table.
    pub fn table_comment(&mut self) -> Result<Option<String>, Error> {
        let table = &self.table;
        let mut comment = None;
        let ended = self.exchange.ask(
            "look for a table",
            |builder, sequence| table.get(builder, sequence),
            |message| comment = Some(tables::comment(&message)),
        );
        match ended {
            Ok(_) => Ok(Some(comment.unwrap_or_default())),
            Err(error) if error.cause == Cause::Gone => Ok(None),
            Err(error) => Err(module_missing(error)),
        }
    }

    /// Removes the table with all that is in it; it may be gone already.
    pub fn delete_table(&mut self) -> Result<(), Error> {
        let said = self.transaction(1, |table, builder, sequence| table.delete(builder, sequence));
        match said.refused.into_values().chain(said.whole).next() {
            Some(error) if error.cause != Cause::Gone => {
                Err(Error { what: format!("delete the table {}", self.table.name).into(), ..error })
            }
            _ => Ok(()),
        }
    }

    /// Sends `count` messages, which `build` makes with consecutive sequence numbers, as one transaction.
    fn transaction(&mut self, count: usize, build: impl FnOnce(&Table, &mut super::message::Builder, u32)) -> Said {
        const WHAT: &str = "change sets";
        let span = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(2);
        let begin = self.exchange.reserve(span);
        let first = begin.wrapping_add(1);
        let exchange = &mut self.exchange;
        exchange.builder.clear();
        exchange.builder.batch_begin(begin);
        build(&self.table, &mut exchange.builder, first);
        exchange.builder.batch_end(begin.wrapping_add(span).wrapping_sub(1));

        let mut said = Said::default();
        let sent = exchange
            .builder
            .bytes()
            .and_then(|bytes| exchange.socket.send(bytes).map_err(|error| failed(WHAT, &error)));
        if let Err(error) = sent {
            said.whole = Some(error);
            return said;
        }
        // The kernel has worked on it before the send returned: what it has to say is here now. Silence is consent.
        loop {
            match exchange.socket.receive(&mut exchange.batch) {
                Ok(Receipt::Empty) => return said,
                Ok(Receipt::Overflow) => said.whole = Some(Error::new(WHAT, libc::ENOBUFS)),
                Ok(Receipt::Datagrams) => (),
                Err(error) => {
                    said.whole = Some(failed(WHAT, &error));
                    return said;
                }
            }
            for message in exchange.batch.datagrams().flat_map(messages).flatten() {
                let Some(answer) = message.answer().filter(|answer| answer.errno != 0) else { continue };
                let place = message.sequence.wrapping_sub(first);
                let error = refused(WHAT, &answer);
                match usize::try_from(place) {
                    Ok(place) if place < count => drop(said.refused.insert(place, error)),
                    // The frame of this transaction; anything else is a late answer to another.
                    _ if message.sequence.wrapping_sub(begin) < span => said.whole = Some(module_missing(error)),
                    _ => (),
                }
            }
        }
    }
}

/// Takes refused changes out of the transaction.
fn leave_out(changes: &mut Vec<(usize, &Change<'_>)>, refused: BTreeMap<usize, Error>, applied: &mut Applied) {
    let mut refused = refused;
    let mut places = 0..changes.len();
    changes.retain(|(index, change)| {
        let Some(error) = places.next().and_then(|place| refused.remove(&place)) else { return true };
        if is_as_asked(change.put, error.errno) {
            applied.done = applied.done.saturating_add(1);
        } else {
            applied.failed.push((*index, named(error, change)));
        }
        false
    });
}

/// Whether a refused change is nevertheless how it should be.
fn is_as_asked(put: bool, errno: i32) -> bool {
    errno == if put { libc::EEXIST } else { libc::ENOENT }
}

fn named(error: Error, change: &Change<'_>) -> Error {
    let verb = if change.put { "put an element into" } else { "remove an element from" };
    Error { what: format!("{verb} the set {}", change.set).into(), ..error }
}

/// Without nf_tables, netfilter knows no such messages (EINVAL) and no such transactions (EOPNOTSUPP).
fn module_missing(error: Error) -> Error {
    match error.errno {
        libc::EINVAL | libc::EOPNOTSUPP => error.with_cause(Cause::MissingModule("nf_tables")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Mac, Protocol};
    use crate::netlink::namespace::{Namespace, nft, udp};

    fn key(port: u16) -> KeyBytes {
        KeyBytes::new().ether_addr(Mac([2, 0, 0, 0, 0, 1])).inet_proto(Protocol::UDP).inet_service(port)
    }

    fn put(set: &str, port: u16) -> Change<'_> {
        Change { set, key: key(port), put: true }
    }

    fn remove(set: &str, port: u16) -> Change<'_> {
        Change { put: false, ..put(set, port) }
    }

    fn with_sets(script: &'static str, check: impl FnOnce(&mut Sets) + Send + 'static) {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(move || {
            nft(script);
            check(&mut Sets::open(TableFamily::Inet, "glacic").unwrap());
        });
    }

    const TWO: &str = "table inet glacic {
        set two { type ether_addr . inet_proto . inet_service
            size 2
            counter
        }
        set many { type ether_addr . inet_proto . inet_service
            size 65535
        }
        set macs { type ether_addr
        }
    }";

    fn listed(sets: &mut Sets, set: &str) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let listing = sets.elements(set, |element| keys.push(element.key.to_vec())).unwrap();
        assert_eq!(listing, Listing { elements: keys.len(), interrupted: false });
        keys.sort();
        keys
    }

    fn keys(ports: &[u16]) -> Vec<Vec<u8>> {
        ports.iter().map(|port| key(*port).as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_is_put_is_there_and_what_is_removed_is_gone() {
        with_sets(TWO, |sets| {
            let done = |done| Applied { done, failed: Vec::new() };
            assert_eq!(sets.apply(&[put("two", 1), put("two", 2), put("many", 3)]), done(3));
            assert_eq!(listed(sets, "two"), keys(&[1, 2]));
            assert_eq!(sets.apply(&[put("two", 1), put("two", 2)]), done(2), "again");
            assert_eq!(sets.apply(&[remove("two", 1), put("two", 9)]), done(2), "in place of another");
            assert_eq!(listed(sets, "two"), keys(&[2, 9]));
            assert_eq!(sets.apply(&[remove("two", 2), remove("two", 7), remove("two", 9)]), done(3), "gone already");
            assert_eq!(listed(sets, "two"), keys(&[]));
            let mac = Change { set: "macs", key: KeyBytes::new().ether_addr(Mac([2, 0, 0, 0, 0, 7])), put: true };
            assert_eq!(sets.apply(&[mac]), done(1), "a key of one part");
            assert_eq!(listed(sets, "macs"), [vec![2, 0, 0, 0, 0, 7]]);
        });
    }

    #[test]
    fn a_bad_change_does_not_block_the_others() {
        with_sets(TWO, |sets| {
            let changes = [
                put("two", 1),
                put("absent", 1),
                put("two", 2),
                put("two", 3),
                put("many", 4),
                Change { key: KeyBytes::new().inet_service(1), ..put("many", 0) },
                remove("many", 77),
                put("many", 5),
            ];
            let applied = sets.apply(&changes);
            let failed: Vec<_> = applied.failed.iter().map(|(index, error)| (*index, error.cause)).collect();
            assert_eq!(failed, [(1, Cause::Gone), (3, Cause::Full), (5, Cause::Other)], "{applied:?}");
            assert_eq!(applied.done, 5);
            assert_eq!(listed(sets, "two"), keys(&[1, 2]));
            assert_eq!(listed(sets, "many"), keys(&[4, 5]));
            assert!(applied.failed[1].1.to_string().contains("set two: the set is full"), "{}", applied.failed[1].1);
        });
    }

    #[test]
    fn what_is_there_can_be_put_again_into_a_full_set() {
        with_sets(TWO, |sets| {
            assert_eq!(sets.apply(&[put("two", 1), put("two", 2)]).done, 2);
            let applied = sets.apply(&[put("two", 1), put("two", 3)]);
            assert_eq!((applied.done, applied.failed.len()), (1, 1), "{applied:?}");
        });
    }

    #[test]
    fn many_changes_and_many_failures_are_told_apart() {
        with_sets(TWO, |sets| {
            let changes: Vec<_> =
                (0..3000).map(|port| put(if port % 2 == 0 { "many" } else { "absent" }, port)).collect();
            let applied = sets.apply(&changes);
            assert_eq!((applied.done, applied.failed.len()), (1500, 1500));
            assert!(applied.failed.iter().all(|(index, _)| index % 2 == 1));
            assert_eq!(sets.elements("many", |_| ()).unwrap().elements, 1500);
        });
    }

    #[test]
    fn answers_that_do_not_fit_the_socket_come_in_later_turns() {
        with_sets(TWO, |sets| {
            sets.exchange.socket.set_receive_buffer(2048);
            let changes: Vec<_> =
                (0..64).map(|port| put(if port % 2 == 0 { "many" } else { "absent" }, port)).collect();
            let applied = sets.apply(&changes);
            assert_eq!((applied.done, applied.failed.len()), (32, 32));
        });
    }

    #[test]
    fn counters_count_what_met_the_element() {
        let script = "table inet glacic {
            set ports { type inet_service
                counter
                flags timeout
            }
            chain output { type filter hook output priority 0
                udp dport @ports accept
            }
        }";
        with_sets(script, |sets| {
            let change = Change { set: "ports", key: KeyBytes::new().inet_service(7), put: true };
            assert_eq!(sets.apply(&[change]).done, 1);
            (0..3).for_each(|_| drop(udp("127.0.0.1:0").send_to(b"12", "127.0.0.1:7")));
            let mut seen = None;
            sets.elements("ports", |element| seen = Some((element.packets, element.bytes))).unwrap();
            assert_eq!(seen, Some((Some(3), Some(90))));
        });
    }

    #[test]
    fn a_table_is_found_and_deleted() {
        with_sets(TWO, |sets| {
            assert_eq!(sets.table_exists(), Ok(true));
            assert_eq!(sets.delete_table(), Ok(()));
            assert_eq!(sets.table_exists(), Ok(false));
            assert_eq!(sets.delete_table(), Ok(()), "gone already");
            assert_eq!(sets.elements("two", |_| ()).unwrap_err().cause, Cause::Gone);
            let applied = sets.apply(&[put("two", 1), remove("two", 2)]);
            assert_eq!((applied.done, applied.failed.len()), (1, 1));
        });
    }
}
