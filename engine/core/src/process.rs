//! What this process may be: never a fork, and no open book.
//!
//! Nonces come from a generator that does not notice a fork: two children of one used parent
//! would encrypt different bytes under the same nonce. So children are exec'd, never forked.

use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::error::{Error, ErrorKind, Result};

static HOME: OnceLock<u32> = OnceLock::new();

/// Note the process that loaded the engine; the first call decides.
pub fn remember() {
    HOME.get_or_init(std::process::id);
}

/// Fail in any other process than the one that loaded the engine.
pub fn check() -> Result<()> {
    let here = std::process::id();
    let home = *HOME.get_or_init(std::process::id);
    if here == home {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Internal,
        format!(
            "the engine was loaded by process {home} and forked into {here}; start a new program instead"
        ),
    ))
}

/// Have the kernel keep what this process holds in memory to itself: no core dump, and no other
/// process of the same user reads it.
pub fn forbid_dumps() -> Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| {
        Error::caused_by(ErrorKind::Internal, "cannot keep memory out of dumps", error)
    })
}
