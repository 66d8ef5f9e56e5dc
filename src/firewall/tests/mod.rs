//! The room as a whole: its texts ([`golden`]), what they do to packets ([`behaviour`]), the thread that brings them
//! into a kernel ([`live`]), keeps them there ([`keeping`]) and ends what is denied ([`ending`]). Each test has a network namespace of its own; without root
//! they say so and pass.

mod at;
mod behaviour;
mod ending;
mod golden;
mod house;
mod keeping;
mod live;
mod memory;
pub mod support;
