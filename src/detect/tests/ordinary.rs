//! A day on which nothing happens.
