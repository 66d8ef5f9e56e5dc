//! The room as a whole: its texts ([`golden`]), what they do to packets ([`behaviour`]), the thread that brings them
//! into a kernel ([`live`]) and keeps them there ([`keeping`]). Each test has a network namespace of its own; without root
//! they say so and pass.

mod at;
mod behaviour;
mod golden;
mod house;
mod keeping;
mod live;
mod memory;
pub mod support;
