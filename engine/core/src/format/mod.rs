//! Our own reader of the repository format: authenticated, bounded, and every failure a value.

pub mod seal;
