//! The one error type of the engine: what went wrong, in one sentence, with its cause.

use std::{error::Error as StdError, fmt, io};

/// What kind of failure happened; each kind is one exception class in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The key does not open the repository's config.
    WrongKey,
    /// The repository is not the pinned one: its config, id, key or generation differs.
    PinBroken,
    /// There is no repository at the given place.
    NoRepository,
    /// There is a repository already where one was to be created.
    RepositoryExists,
    /// The source cannot be opened at all.
    SourceUnavailable,
    /// Storage answered with an error.
    Storage,
    /// Storage refuses the credential.
    Denied,
    /// Storage has no room left.
    StorageFull,
    /// Bytes in the repository are not what their name or their key says.
    Damaged,
    /// Cancelled by the caller.
    Cancelled,
    /// The folder to restore into holds something that must not be replaced.
    TargetOccupied,
    /// The caller passed a value that cannot be used.
    InvalidInput,
    /// A fault of the engine itself: a panic, or a broken promise of a dependency.
    Internal,
}

/// A failure: its kind, one lower-case sentence without a full stop, and what caused it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Result of the engine's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a cause below it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error caused by another one; `message` says what was being done.
    pub fn caused_by(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// A storage error; a full disk gets its own kind, because the way out differs.
    pub fn storage(message: impl Into<String>, source: io::Error) -> Self {
        let full =
            matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kind = if full { ErrorKind::StorageFull } else { ErrorKind::Storage };
        Self::caused_by(kind, message, source)
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The whole story in one line: the sentence, then each cause after a colon.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
