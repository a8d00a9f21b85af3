//! Whole runs: from a folder into cold, and back.

// Clippy knows only functions marked as tests, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/mount.rs"]
mod mount;

mod damaged;
mod every_byte;
mod hot;
mod interrupted;
mod partial;
mod scene;
mod storage;
mod stored;
