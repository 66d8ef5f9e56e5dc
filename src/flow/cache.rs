//! A bounded table of flows: the least recently used goes first.
