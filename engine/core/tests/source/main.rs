//! A folder as a source: what is emitted, what is read, and what is said about the rest.

// Clippy knows only functions marked as tests, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/memory.rs"]
mod memory;
#[path = "../common/mount.rs"]
mod mount;

mod archived;
mod broken;
mod cancel;
mod changes;
mod emitted;
mod large;
mod left_out;
mod lost;
mod site;
mod unprivileged;
