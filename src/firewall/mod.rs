//! What the kernel knows of glacic: the ruleset as text, its sets, and how both get there.
//!
//! [`plan`] says what is wanted, [`mod@ruleset`] and [`mod@includes`] turn it into nft text, [`elements`] turns decisions
//! into set elements: all pure. `apply` and `worker` (Linux only) bring them into the kernel and keep them there.
//! What always holds: the table can only restrict or mark; nothing of it is ever loaded unchecked, and there is no
//! moment with hooks but without elements.

#[cfg(target_os = "linux")]
mod apply;
#[cfg(target_os = "linux")]
mod cut;
pub mod delta;
#[cfg(target_os = "linux")]
mod drops;
pub mod elements;
#[cfg(target_os = "linux")]
pub mod here;
pub mod includes;
#[cfg(target_os = "linux")]
mod known;
mod matches;
pub mod message;
pub mod modules;
#[cfg(target_os = "linux")]
mod nft;
pub mod offload;
pub mod plan;
#[cfg(target_os = "linux")]
mod publish;
pub mod ruleset;
#[cfg(target_os = "linux")]
mod run;
pub mod set;
#[cfg(target_os = "linux")]
mod steward;
#[cfg(target_os = "linux")]
pub mod worker;
pub mod zones;

#[cfg(all(test, target_os = "linux"))]
mod tests;

pub use includes::{Include, includes};
pub use message::{Change, Failure, Load, LoadError, Report, Request, SetSizes, Subject};
pub use modules::Module;
#[cfg(target_os = "linux")]
pub use nft::Tools;
pub use plan::{Ask, Guarded, Interface, Limits, Plan, Zone};
pub use ruleset::{render_all, ruleset};
pub use set::Set;
#[cfg(target_os = "linux")]
pub use steward::Steward;
#[cfg(target_os = "linux")]
pub use worker::{Config, Full, Worker, spawn};
