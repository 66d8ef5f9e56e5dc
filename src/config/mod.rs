//! The owner's settings: `/etc/config/glacic`, from UCI text to typed values.
//!
//! [`uci`] reads the syntax, [`settings`] holds the typed options, [`check`] turns one into the other and names
//! every problem of a file in one go. Nothing of a bad file is ever applied.

pub mod settings;

pub use settings::Settings;
