//! Whoever holds the key can write anything. Every hostile repository meets everything that is
//! done with one: nothing escapes, hangs or fills memory, what is good in it is restored whole,
//! and the next run stores a snapshot that is good as well.

#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../backup/scene.rs"]
#[allow(dead_code)]
mod scene;

mod cell;
mod lies;
mod objects;
mod row;
mod trees;
