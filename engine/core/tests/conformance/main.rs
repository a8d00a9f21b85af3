//! What every storage keeps to, whichever it is and whatever happens on the way to it.

// Clippy knows only functions marked as tests, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod faults;
mod proxy;
mod scene;
mod server;
mod suite;
