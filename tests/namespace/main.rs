//! The real daemon on real packets that cross a real Linux firewall, in network namespaces.
//!
//! As root: `cargo test --test namespace`. The same program runs inside a virtual machine whose kernel has the nft
//! `queue` expression, with `GLACIC_QUEUE=native`.

#![cfg(target_os = "linux")]

#[path = "../kit/mod.rs"]
mod kit;

mod changes;
mod confinement;
mod crashes;
mod disguised;
mod first_packets;
mod gone;
mod kit_holds;
mod life;
mod many;
mod matrix;
mod not_flows;
mod options;
mod overload;
mod paths;
mod plugin;
mod refusals;
mod standing;
