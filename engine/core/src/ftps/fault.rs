//! What can go wrong with a server, by what is done about it.

use std::{io, time::Duration};

use super::reply::{NoReply, Reply};

/// What a fault means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Somebody may be in between: stop, and try nothing else.
    Security,
    /// The operator has to change something: stop.
    Configuration,
    /// The server bears no more connections: use fewer.
    Capacity,
    /// The server cannot be reached, or went away: try again for a while.
    Unreachable,
    /// The connection is of no use any more; another one may do.
    Stale,
    /// The server said nothing for as long as it may: as stale, and perhaps it is away.
    Silent,
    /// What the control connection brought was not encrypted, and is not believed. A server that
    /// dies says its last words so; one that does it again and again is somebody else.
    Garbled,
    /// This once: try again.
    Transient,
    /// The server does not give this path.
    Denied,
    /// The server does not list this path any more.
    Vanished,
    /// There is more of it than was listed, and all that was listed came.
    Grown,
    /// What came is not what was announced.
    Integrity,
    /// What was read of it before is not what the server has now.
    Changed,
    /// Another file needs the connection first.
    Interrupted,
    /// The run was asked to end.
    Cancelled,
}

/// What went wrong: one sentence, with the server's words in it where it said any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it means for the run.
    pub class: Class,
    /// Lower case, no full stop.
    pub message: String,
}

impl Fault {
    /// A fault with its sentence.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// A connection that broke while doing something.
    pub fn broken(doing: &str, error: &io::Error) -> Self {
        if let Some(fault) = carried(error) {
            return fault;
        }
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server ended the connection".to_owned(),
            io::ErrorKind::ConnectionReset => "the server broke the connection".to_owned(),
            _ => error.to_string(),
        };
        Self::new(Class::Stale, format!("cannot {doing}: {what}"))
    }

    /// What it means on a data connection: a server that dies says nothing there, and whoever
    /// speaks without encryption is somebody else.
    #[must_use]
    pub fn on_data(self) -> Self {
        match self.class {
            Class::Garbled => Self { class: Class::Security, ..self },
            _ => self,
        }
    }

    /// A reply that was not hoped for.
    pub fn refused(doing: &str, reply: &Reply) -> Self {
        Self::new(class_of(reply), format!("cannot {doing}: the server says {reply}"))
    }

    /// Words that are no reply.
    pub fn no_reply(doing: &str, error: &NoReply) -> Self {
        let message = format!("cannot {doing}: the server does not speak FTP, it says {}", error.0);
        Self::new(Class::Stale, message)
    }

    /// It was the same for so long.
    #[must_use]
    pub fn after(self, patience: Duration) -> Self {
        let seconds = patience.as_secs();
        Self { message: format!("{}; for more than {seconds} seconds", self.message), ..self }
    }

    /// Whether another connection is needed after it.
    pub fn ends_connection(&self) -> bool {
        use Class::{Denied, Integrity, Transient, Vanished};
        !matches!(self.class, Denied | Vanished | Transient | Integrity)
    }
}

/// What a code means where no command knows better.
fn class_of(reply: &Reply) -> Class {
    match reply.code {
        // The session is over, or the data connection did not belong to it.
        421 | 522 | 530 | 532 => Class::Stale,
        551 | 400..=499 => Class::Transient,
        500..=599 => Class::Denied,
        // It answers something else: no reply that follows can be taken for what it seems to be.
        _ => Class::Stale,
    }
}

/// A fault that had to pass for an error of input and output on its way.
#[derive(Debug)]
struct Carried(Fault);

impl std::fmt::Display for Carried {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Carried {}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(Carried(fault))
    }
}

/// The fault that an error of input and output is made of.
fn carried(error: &io::Error) -> Option<Fault> {
    let inner = error.get_ref()?;
    if let Some(Carried(fault)) = inner.downcast_ref::<Carried>() {
        return Some(fault.clone());
    }
    let tls = inner.downcast_ref::<rustls::Error>()?;
    Some(of_tls(tls))
}

/// What TLS found. A certificate that is not believed is told in its words.
pub fn of_tls(error: &rustls::Error) -> Fault {
    let class = match error {
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::DecryptError
        | rustls::Error::PeerMisbehaved(_) => Class::Security,
        rustls::Error::InvalidMessage(_) => {
            let message = format!("what the server sent was not encrypted: {error}");
            return Fault::new(Class::Garbled, message);
        }
        _ => Class::Stale,
    };
    Fault::new(class, format!("the server is not trusted: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_leaves_a_connection_of_use() {
        let class = |code| class_of(&Reply { code, lines: Vec::new() });

        assert_eq!([class(450), class(550)], [Class::Transient, Class::Denied]);
        for code in [100, 120, 200, 226, 331, 350] {
            assert!(Fault::new(class(code), "").ends_connection(), "{code}");
        }
    }
}
