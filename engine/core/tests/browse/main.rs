//! What a snapshot holds is told entry by entry, and its content given out.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;

mod dumped;
mod found;
mod listed;
mod scene;
