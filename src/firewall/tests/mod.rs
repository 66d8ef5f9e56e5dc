//! The room as a whole: its texts ([`golden`]), what they do to packets ([`behaviour`]), and the thread that brings them
//! into a kernel ([`live`]). Each test has a network namespace of its own; without root they say so and pass.

mod behaviour;
mod golden;
mod house;
mod live;
mod memory;
pub mod support;
