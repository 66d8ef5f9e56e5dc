//! What the kernel knows of glacic: the ruleset as text, its sets, and how both get there.
//!
//! [`plan`] says what is wanted, [`ruleset`] and [`includes`] turn it into nft text, [`elements`] turns decisions
//! into set elements: all pure. `apply` and `worker` (Linux only) bring them into the kernel and keep them there.
//! What always holds: the table can only restrict or mark; nothing of it is ever loaded unchecked, and there is no
//! moment with hooks but without elements.

pub mod elements;
pub mod includes;
mod matches;
pub mod message;
pub mod plan;
pub mod ruleset;
pub mod set;

pub use includes::{Include, includes};
pub use message::{Change, Failure, Load, LoadError, Report, Request, SetSizes, Subject};
pub use plan::{Ask, Guarded, Interface, Limits, Plan, Zone};
pub use ruleset::{render_all, ruleset};
pub use set::Set;
