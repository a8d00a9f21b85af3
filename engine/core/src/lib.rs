//! The engine of unstoppable backups: repositories in the rustic (restic v2) format.
//!
//! Creating repositories and archiving is `rustic_core`'s work, driven from here; storage,
//! sources, the commit point, reading and restoring are our own. No type of `rustic_core`
//! leaves this crate.

#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

pub mod backup;
pub mod birth;
pub mod browse;
pub mod check;
pub mod confine;
pub mod control;
mod distrust;
pub mod error;
pub mod format;
pub mod ftps;
pub mod issue;
pub mod key;
mod known;
mod links;
pub mod object;
pub mod pace;
pub mod process;
pub mod rebuild;
pub mod repository;
pub mod restore;
mod rustic;
pub mod source;
pub mod storage;
mod workers;
