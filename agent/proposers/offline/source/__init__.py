"""From a mechanism to programs that a person can read: a small tree of functions and blocks,
printed."""
