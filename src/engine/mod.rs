//! Facts to a decision, in bounded memory and without I/O.
