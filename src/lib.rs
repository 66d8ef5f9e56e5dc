//! glacic: a learning firewall for OpenWrt routers.
//!
//! # The map of the house
//!
//! A packet of an undecided flow travels downwards through these rooms:
//!
//! | room | what it is for |
//! |---|---|
//! | [`intercept`] | hands over packets and their metadata: nfqueue, nflog, pcap files |
//! | [`wire`] | bytes to facts: pure, total, never panics |
//! | [`engine`] | facts to a decision: its own bounded memory, no I/O |
//! | [`store`] | what outlives a restart: one thread owns SQLite |
//! | [`firewall`] | what the kernel knows: rulesets, sets, publication to fw4 |
//!
//! [`replay`] sends a capture file the same way. [`flow`] holds the words all of them speak (MAC, protocol, key,
//! state), [`config`] the owner's settings, [`control`] the shapes of the control protocol, [`netlink`] the one way of
//! talking to the kernel. [`daemon`] joins them in one event loop, [`cli`] is the door.
//!
//! Knowledge runs downwards only: `wire` and `flow` know nobody; `config` knows `flow`; `engine` knows these three;
//! `store`, `firewall` and `intercept` know these; `daemon` knows all of them, and nobody knows `cli` or `daemon`.

pub mod cli;
pub mod config;
pub mod control;
#[cfg(target_os = "linux")]
pub mod daemon;
#[cfg(test)]
mod effort;
pub mod engine;
pub mod firewall;
#[cfg(all(test, target_os = "linux"))]
mod flash;
pub mod flow;
pub mod intercept;
#[cfg(target_os = "linux")]
pub mod netlink;
pub mod replay;
pub mod store;
pub mod wire;
