//! Whose certificates are believed.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, DistinguishedName, Error,
    RootCertStore, SignatureScheme, WantsVerifier,
    client::{
        WantsClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};

use super::{Class, Fault};

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those of the authorities that this machine knows.
    System,
    /// Those of the authorities in a PEM file, and no others; its content.
    Authorities(Vec<u8>),
    /// The one with this public key, whatever else it says; the SHA-256 of the key.
    Pin([u8; 32]),
}

/// The SHA-256 of a certificate's public key, with the algorithm it is for (RFC 7469's pin).
pub fn pin_of(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(Sha256::digest(parsed.subject_public_key_info()).into())
}

impl Trust {
    /// Have certificates looked at in this way.
    pub fn verify(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsVerifier>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Fault> {
        Ok(match self {
            Self::System => builder.with_root_certificates(system_authorities()?),
            Self::Authorities(content) => builder.with_root_certificates(authorities(content)?),
            Self::Pin(pin) => {
                let pinned = Pinned { pin: Some(*pin), provider: provider.clone() };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned))
            }
        })
    }
}

/// Have no certificate refused: for whoever looks at it, and says nothing of his own there.
pub fn verify_nothing(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    provider: &Arc<CryptoProvider>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let any = Pinned { pin: None, provider: provider.clone() };
    builder.dangerous().with_custom_certificate_verifier(Arc::new(any))
}

fn system_authorities() -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    // One that is odd is passed over: this machine has a hundred others.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match store.is_empty() {
        true => {
            let message = "this machine knows no certificate authorities: install ca-certificates";
            Err(Fault::new(Class::Configuration, message))
        }
        false => Ok(store),
    }
}

fn authorities(content: &[u8]) -> Result<RootCertStore, Fault> {
    let unusable = |what: String| {
        Fault::new(
            Class::Configuration,
            format!("the certificates to trust cannot be used: {what}"),
        )
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(content) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    match store.is_empty() {
        true => Err(unusable("there is none".to_owned())),
        false => Ok(store),
    }
}

/// Believes one public key. Who has it signed the handshake, so name and dates add nothing.
#[derive(Debug)]
struct Pinned {
    /// None for any.
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.pin.is_none() || pin_of(end_entity) == self.pin {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}
