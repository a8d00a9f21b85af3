//! Errors on their way into `rustic_core` and out of it.

use rustic_core::{ErrorKind as RusticKind, RusticError};

use crate::error::{Error, ErrorKind};

/// Our error as `rustic_core` carries it; the original is kept by the backend.
pub fn into_rustic(error: &Error) -> Box<RusticError> {
    // Guidance is a template: braces in a path must not be taken for placeholders.
    RusticError::new(RusticKind::Backend, "{message}").attach_context("message", error.chain())
}

/// What `rustic_core` said, in one line.
pub fn from_rustic(doing: &str, error: &RusticError) -> Error {
    let log = error.display_log();
    let text: String =
        log.trim_start_matches("Error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    // Its kind is private: C001 is the code of a failed MAC, which only a wrong key or damage gives.
    let kind = if log.contains("C001") { ErrorKind::Damaged } else { ErrorKind::Internal };
    Error::new(kind, format!("{doing}: {text}"))
}
