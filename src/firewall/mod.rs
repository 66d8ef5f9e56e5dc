//! What the kernel knows of glacic: the ruleset as text, its sets, and how both get there.
