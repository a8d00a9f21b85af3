//! Why a request got no answer that can be used, in words for people.

use std::{error::Error as StdError, fmt, io, time::Duration};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use jiff::Timestamp;

/// The longest part of a server's words that is shown.
const MOST_QUOTED: usize = 200;
/// The codes of refusals that pass, whatever their status.
const PASSING_CODES: [&str; 9] = [
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "OperationAborted",
    "ConditionalRequestConflict",
    // The bytes changed on their way.
    "BadDigest",
];

/// What went wrong with one attempt.
#[derive(Debug)]
pub enum Fault {
    /// No connection.
    Unreachable(String),
    /// The server's certificate is not trusted, or it speaks no TLS.
    Untrusted(String),
    /// The connection ended in the middle.
    CutOff(String),
    /// A deadline passed.
    TooSlow(Duration),
    /// The answer is longer than anything that was asked for, in bytes.
    TooLarge(u64),
    /// The server said no.
    Refused(Refusal),
}

/// An answer that is none.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// S3's word for it; empty where it said none.
    pub code: String,
    message: String,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// What the client's error means.
    pub fn of(error: &reqwest::Error) -> Self {
        let told = innermost(error);
        if is_about_tls(error) {
            return Self::Untrusted(told);
        }
        match error.is_connect() {
            true => Self::Unreachable(told),
            false => Self::CutOff(told),
        }
    }

    /// Whether the same request may well be answered in a while.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::CutOff(_) | Self::TooSlow(..) => true,
            Self::Untrusted(_) | Self::TooLarge(_) => false,
            Self::Refused(refusal) => refusal.may_pass(),
        }
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }
}

impl Refusal {
    /// What a status other than success, its headers and its body say.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let location = headers.get("location").and_then(|value| value.to_str().ok());
        let message = match (status.is_redirection(), location) {
            (true, Some(location)) => format!("it sends elsewhere, to {location}"),
            _ => element(&body, "Message").unwrap_or_default().to_owned(),
        };
        Self {
            status,
            code: quoted(element(&body, "Code").unwrap_or_default()),
            message: quoted(&message),
            retry_after: headers.get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?)),
        }
    }

    fn may_pass(&self) -> bool {
        let is_passing_status = matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
        is_passing_status || PASSING_CODES.contains(&self.code.as_str())
    }

    /// Whether there is no such object; a bucket that is missing is more than that.
    pub fn is_missing_object(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.code != "NoSuchBucket"
    }

    /// Whether the credential may not do that.
    pub fn is_denial(&self) -> bool {
        self.status == StatusCode::FORBIDDEN && matches!(self.code.as_str(), "AccessDenied" | "")
    }
}

/// The text of the first element of this name; enough of XML for what servers say of errors.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = body.split_once(&format!("<{name}>"))?;
    after.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The server's words, which may be anything, on one line of a terminal.
fn quoted(text: &str) -> String {
    text.chars().take(MOST_QUOTED).flat_map(char::escape_debug).collect()
}

/// How long `Retry-After` asks to wait: seconds, or a moment.
fn wait(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(Timestamp::now().until(moment).ok()?.try_into().unwrap_or(Duration::ZERO))
}

/// The error at the bottom, which says what happened; those above it say who met it.
fn innermost(error: &reqwest::Error) -> String {
    let mut found: &dyn StdError = error;
    while let Some(source) = found.source() {
        found = source;
    }
    found.to_string()
}

fn is_about_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(found) = cause {
        if is_tls_error(found) {
            return true;
        }
        cause = found.source();
    }
    false
}

/// An input or output error does not count what it wraps as its source.
fn is_tls_error(error: &(dyn StdError + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls_error(inner))
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(formatter, "the server cannot be reached: {why}"),
            Self::Untrusted(why) => write!(formatter, "the server is not trusted: {why}"),
            Self::CutOff(why) => write!(formatter, "the connection was cut: {why}"),
            Self::TooSlow(limit) => {
                write!(formatter, "it took longer than {} s", limit.as_secs_f32())
            }
            Self::TooLarge(most) => {
                write!(formatter, "the answer is longer than {most} bytes")
            }
            Self::Refused(refusal) => refusal.fmt(formatter),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the server answered {}", self.status.as_u16())?;
        if !self.code.is_empty() {
            write!(formatter, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(formatter, ", \"{}\"", self.message)?;
        }
        match self.code.as_str() {
            "RequestTimeTooSkewed" => {
                formatter.write_str("; the clock of this machine, or the server's, is wrong")
            }
            _ => Ok(()),
        }
    }
}

impl StdError for Fault {}
