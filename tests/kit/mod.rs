//! A home network in network namespaces, with real packets: router, devices, a server on the wan side,
//! a ruleset like fw4's and a driver for the daemon.
//!
//! Everything belongs to the test that made it and dies with it; networks do not see each other, so tests run in
//! parallel. It needs root, `ip` and `nft`, and nothing else: it also runs in the guest, beside busybox.
//! With `GLACIC_QUEUE=native` the kernel's own nft `queue` is used, otherwise the way round it in [`queue`].

#![allow(dead_code, unused_imports, reason = "every test program uses its own part of the kit")]

pub mod capture;
pub mod control;
pub mod daemon;
pub mod frames;
pub mod fw4;
pub mod host;
pub mod network;
pub mod queue;
pub mod server;
pub mod sys;
pub mod traffic;
pub mod wait;

pub use control::Control;
pub use daemon::{Config, Daemon, Mode, Placement, home};
pub use fw4::Fw4;
pub use host::Host;
pub use network::{Network, Station};
pub use wait::{NEGATIVE, POSITIVE, eventually, settle};
