//! Captures, from their bytes to the connections they show.
//!
//! The captures in `captures/` are written by this test's own writer (`GLACIC_WRITE_CAPTURES=1 cargo test --test replay`)
//! and compared with it, so that they can serve elsewhere, too: in tests of the command and as seeds for fuzzing.

mod captures;
mod openings;
mod packets;
mod reader;
mod writer;
