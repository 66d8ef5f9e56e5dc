//! Requests that are under way: who asked, and what the answer waits for.

use std::collections::HashMap;

use super::control::Client;
use crate::flow::query::Query;

/// What an answer waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// The store's answer, which is passed on as it is.
    Store,
    /// The store's answer to a decision; then the kernel's.
    Decision,
    /// The store's answer about a device, which may have a new name; then the kernel's.
    Device { name: Option<String> },
    /// The store's word that what was said about learning is kept; then the kernel's, where the mode has changed.
    Learning { changed: bool },
    /// The kernel, which has been told; the answer is ready.
    Kernel { answer: String },
    /// Fresh counters from the kernel, before the store is asked for this page.
    Counters { query: Query },
    /// The same, before what went on lately is told.
    Activity,
}

/// Requests at once, at most: one a connection.
#[derive(Default)]
pub struct Errands {
    next: u32,
    open: HashMap<u32, (Client, Errand)>,
}

impl Errands {
    /// Begins an errand and returns its ticket, which is never 0.
    pub fn begin(&mut self, client: Client, errand: Errand) -> u32 {
        self.next = self.next.checked_add(1).unwrap_or(1);
        self.open.insert(self.next, (client, errand));
        self.next
    }

    /// Ends an errand.
    pub fn end(&mut self, ticket: u32) -> Option<(Client, Errand)> {
        self.open.remove(&ticket)
    }

    /// Goes on with the same ticket and another wait.
    pub fn go_on(&mut self, ticket: u32, client: Client, errand: Errand) {
        self.open.insert(ticket, (client, errand));
    }
}
