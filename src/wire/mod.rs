//! Bytes to facts: pure, total functions over any input. They never panic, allocate or know anybody.
