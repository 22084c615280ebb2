//! Reads the Always Encrypted catalog.
