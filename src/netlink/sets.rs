//! Elements of nf_tables sets: put, removed and listed without an `nft` process (microseconds instead of milliseconds,
//! and no tens of megabytes for a listing).
//!
//! Changes go to the kernel in transactions. One change that fails undoes its whole transaction, so it is found by its
//! sequence number, left out, and the rest is sent again: a bad element never blocks the others.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::messages;
use super::exchange::{Exchange, failed, refused};
use super::tables::{self, Table};
use super::{Cause, Error, Family, Receipt, rules};

pub use super::key::KeyBytes;
pub use super::tables::{Element, TableFamily, To, Verdict};

/// Changes in one transaction: enough to share its cost, few enough that the answers to all of them fit the socket.
const TRANSACTION: usize = 256;
/// Bytes of the socket's buffer: an answer to a refused change takes about a kilobyte of it.
const SOCKET_BUFFER: usize = 1 << 20;

/// One change of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    pub set: &'a str,
    pub key: KeyBytes,
    /// How it should be afterwards; it may be so already.
    pub to: To<'a>,
}

/// A change under way.
#[derive(Debug, Clone, Copy)]
struct Pending<'a> {
    index: usize,
    change: Change<'a>,
    /// Whether this is the second way: what was there is not what was known.
    tried: bool,
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
        for (number, some) in changes.chunks(TRANSACTION).enumerate() {
            let first = number.saturating_mul(TRANSACTION);
            let indexed = (first..).zip(some);
            let pending = indexed.map(|(index, change)| Pending { index, change: *change, tried: false });
            self.apply_some(pending.collect(), &mut applied);
        }
        applied.failed.sort_by_key(|(index, _)| *index);
        applied
    }

    fn apply_some(&mut self, mut changes: Vec<Pending<'_>>, applied: &mut Applied) {
        // Each turn leaves out one change at least, or tries it in the other way. Should answers not fit the socket, a later turn brings them.
        while !changes.is_empty() {
            let said = self.transaction(changes.len(), |table, builder, first| {
                for (Pending { change, .. }, sequence) in changes.iter().zip(first..) {
                    table.element(builder, sequence, change.set, change.key.as_bytes(), change.to);
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
                    applied.failed.extend(changes.iter().map(|pending| (pending.index, error.clone())));
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

    /// The port by which notifications name what was done here.
    pub fn port(&self) -> u32 {
        self.exchange.socket.port()
    }

    /// The numbers of the table's rules; one that is replaced has another.
    pub fn rules(&mut self) -> Result<BTreeSet<u64>, Error> {
        let table = &self.table;
        let mut numbers = BTreeSet::new();
        self.exchange.ask(
            "list rules",
            |builder, sequence| rules::ask(table, builder, sequence, None),
            |message| numbers.extend(rules::number(&message, table)),
        )?;
        Ok(numbers)
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

    /// The packets that a named counter of the table has counted; `None` if there is no such counter.
    pub fn counter(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let table = &self.table;
        let mut packets = None;
        let ended = self.exchange.ask(
            "read a counter",
            |builder, sequence| table.get_counter(builder, sequence, name),
            |message| packets = packets.or_else(|| tables::counter(&message)),
        );
        match ended {
            Ok(_) => Ok(packets),
            Err(error) if error.cause == Cause::Gone => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The packets that the rules of a chain have counted; none of a chain that is not there.
    pub fn counted_by(&mut self, chain: &str) -> Result<u64, Error> {
        let table = &self.table;
        let mut packets = 0u64;
        let ended = self.exchange.ask(
            "read the counters of rules",
            |builder, sequence| rules::ask(table, builder, sequence, Some(chain)),
            |message| packets = packets.saturating_add(rules::packets(&message, table, chain).unwrap_or(0)),
        );
        match ended {
            Ok(_) => Ok(packets),
            Err(error) if error.cause == Cause::Gone => Ok(0),
            Err(error) => Err(error),
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
fn leave_out(changes: &mut Vec<Pending<'_>>, refused: BTreeMap<usize, Error>, applied: &mut Applied) {
    let mut refused = refused;
    let mut places = 0..changes.len();
    changes.retain_mut(|Pending { index, change, tried }| {
        let Some(error) = places.next().and_then(|place| refused.remove(&place)) else { return true };
        let second = match (change.to, error.errno) {
            // How it should be.
            (To::Present, libc::EEXIST) | (To::Absent, libc::ENOENT) => {
                applied.done = applied.done.saturating_add(1);
                return false;
            }
            // Something else is said there than was known; or nothing is.
            (To::Saying(verdict), libc::EEXIST | libc::EBUSY) if !*tried => To::Changed(verdict),
            (To::Changed(verdict), libc::ENOENT) if !*tried => To::Saying(verdict),
            _ => {
                applied.failed.push((*index, named(error, change)));
                return false;
            }
        };
        (change.to, *tried) = (second, true);
        true
    });
}

fn named(error: Error, change: &Change<'_>) -> Error {
    let verb = if change.to == To::Absent { "remove an element from" } else { "put an element into" };
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
mod tests;
