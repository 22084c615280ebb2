//! Key events: store, filter, sources.
