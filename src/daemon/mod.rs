//! The daemon: one event loop that joins the rooms.
//!
//! The loop's thread gives the verdicts and does no file, database, name-resolution or process I/O. That is left to three
//! others, each behind a bounded inbox: the store's (SQLite), the firewall's (nft, sets, conntrack) and the background's
//! (configuration, names). What happens when an inbox is full stands where it is filled.

mod activity;
mod answers;
mod background;
mod busiest;
mod changeover;
mod chronicle;
mod clock;
mod confine;
mod control;
mod effects;
mod errands;
mod held;
mod house;
mod judge;
mod kernel;
mod lacks;
mod learning;
mod logger;
mod names;
mod news;
mod poll;
mod replies;
mod report;
mod signals;
mod sources;
mod start;
#[cfg(test)]
mod tests;
mod turn;
mod warnings;

pub use clock::now;
pub use logger::Target;
pub use start::{Failure, Options, run};
