//! TLS sessions of one control connection, which its data connections resume.
//!
//! Servers require it: it shows that whoever takes the data is whoever asked for it. A session
//! of another control connection is refused, so that none may be shared between them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use rustls::{
    ClientConfig, ConfigBuilder, NamedGroup, WantsVerifier,
    client::{
        ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
        WantsClientCert,
    },
    crypto::CryptoProvider,
    pki_types::ServerName,
};

use super::{
    Class, Fault,
    trust::{Trust, verify_nothing},
};
use crate::workers::lock;

/// Tickets that are kept; a server may send as many as it likes.
const MOST_TICKETS: usize = 32;

/// The sessions of one control connection; all are with one server.
#[derive(Debug, Default)]
struct Sessions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    group: Option<NamedGroup>,
    /// Good any number of times.
    session: Option<Tls12ClientSessionValue>,
    /// Each good once.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        lock(&self.0).group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        lock(&self.0).group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        lock(&self.0).session = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        lock(&self.0).session.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        lock(&self.0).session = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut kept = lock(&self.0);
        if kept.tickets.len() >= MOST_TICKETS {
            kept.tickets.pop_front();
        }
        kept.tickets.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        lock(&self.0).tickets.pop_back()
    }
}

/// How one control connection and its data connections speak TLS.
pub fn configuration(trust: &Trust) -> Result<Arc<ClientConfig>, Fault> {
    made(|builder, provider| trust.verify(builder, provider))
}

/// How to speak TLS with whoever is there, to see his certificate and nothing else.
pub fn unverified() -> Result<Arc<ClientConfig>, Fault> {
    made(|builder, provider| Ok(verify_nothing(builder, provider)))
}

fn made(
    verify: impl FnOnce(
        ConfigBuilder<ClientConfig, WantsVerifier>,
        &Arc<CryptoProvider>,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Fault>,
) -> Result<Arc<ClientConfig>, Fault> {
    // Named, because rustls panics where it finds two providers and none is chosen.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error| Fault::new(Class::Configuration, format!("TLS cannot be used: {error}"));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?;
    let mut made = verify(builder, &provider)?.with_no_client_auth();
    made.resumption = Resumption::store(Arc::<Sessions>::default());
    Ok(Arc::new(made))
}
