//! The daemon: one event loop that joins the rooms.
