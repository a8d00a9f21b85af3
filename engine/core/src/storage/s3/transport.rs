//! Sends requests: one answer, whole and bounded, or why there is none.
//!
//! The library above signs requests and reads what listings say; how long anything may take, how
//! much an answer may hold, and what is tried again is decided here alone. A signature is good for
//! a quarter of an hour, so that a request is sent again as it is.

use std::{
    result::Result as Either,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use opendal::{Buffer, HttpBody, HttpTransport};
use reqwest::{Body, Certificate, Client, redirect::Policy};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    address::{Limits, S3Address},
    body::PacedBody,
    fault::{Fault, Refusal},
    pause::pause,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    pace::Pace,
    storage::LARGEST_OBJECT_BYTES,
    workers::lock,
};

/// A page of a listing holds a thousand names of at most 1024 bytes, each escaped.
const LARGEST_PAGE_BYTES: u64 = 16 * 1024 * 1024;
/// What is read of the words that come with a refusal.
const LARGEST_REFUSAL_BYTES: u64 = 64 * 1024;
/// How often a wait looks whether the work was cancelled.
const TICK: Duration = Duration::from_millis(100);

tokio::task_local! {
    /// How many bytes of an object whoever asks for it wants to hold, where that is less than usual.
    pub static MOST_BYTES: u64;
}

/// What sends requests to one server.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

/// How the server has been lately.
#[derive(Debug, Default)]
struct Health {
    /// It gave an answer once.
    is_known: bool,
    /// Since when it has given none, though it was asked.
    ailing_since: Option<Instant>,
}

struct Shared {
    client: Client,
    limits: Limits,
    slots: Semaphore,
    pace: Arc<Pace>,
    health: Mutex<Health>,
    /// The work that waits; once it was cancelled nothing is waited for any more.
    work: Mutex<Arc<Control>>,
}

impl Transport {
    /// Reach the server of `address`.
    pub fn new(address: &S3Address, limits: Limits) -> Result<Self> {
        // One provider for the whole process; a second call finds the first one there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("unstoppable/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(limits.connect)
            .pool_max_idle_per_host(limits.connections);
        if let Some(content) = address.certificates()? {
            builder = builder.tls_certs_only(certificates(address, &content)?);
        }
        let client = builder.build().map_err(|error| {
            Error::caused_by(ErrorKind::InvalidInput, "cannot make TLS connections", error)
        })?;
        Ok(Self(Arc::new(Shared {
            client,
            limits,
            slots: Semaphore::new(limits.connections.max(1)),
            pace: Arc::new(Pace::new(limits.bytes_per_second)),
            health: Mutex::default(),
            work: Mutex::default(),
        })))
    }

    /// From now on wait for nothing once the work of `control` was cancelled.
    pub fn attend(&self, control: &Arc<Control>) {
        *lock(&self.0.work) = control.clone();
    }
}

fn certificates(address: &S3Address, content: &[u8]) -> Result<Vec<Certificate>> {
    let refused = |what: String| {
        let message = format!("the certificates for {address:?} cannot be used: {what}");
        Error::new(ErrorKind::InvalidInput, message)
    };
    let found =
        Certificate::from_pem_bundle(content).map_err(|error| refused(error.to_string()))?;
    match found.is_empty() {
        true => Err(refused("it holds no certificate".to_owned())),
        false => Ok(found),
    }
}

impl HttpTransport for Transport {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        let (parts, content) = self.0.answer(&request).await.map_err(as_opendal)?.into_parts();
        let size = content.len() as u64;
        let content = futures_util::stream::iter([Ok(content)]);
        Ok(Response::from_parts(parts, HttpBody::new(content, Some(size))))
    }
}

/// The library hands it on with the fault inside.
fn as_opendal(fault: Fault) -> opendal::Error {
    opendal::Error::new(opendal::ErrorKind::Unexpected, "no answer").set_source(fault)
}

impl Shared {
    /// The answer to a request that may be made more than once.
    async fn answer(&self, request: &Request<Buffer>) -> Either<Response<Buffer>, Fault> {
        let began = Instant::now();
        let mut next = 0;
        loop {
            next += 1;
            let result = self.attempt(request).await;
            self.note(began, &result);
            let fault = match result {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let pause = pause(next).max(fault.retry_after().unwrap_or_default());
            if !fault.may_pass() || !self.has_patience(began, pause) || self.wait(pause).await {
                return Err(fault);
            }
        }
    }

    /// An answer shows that the server is well, a refusal that will not pass as well.
    fn note(&self, began: Instant, result: &Either<Response<Buffer>, Fault>) {
        let mut health = lock(&self.health);
        match result {
            Err(fault) if fault.may_pass() => {
                health.ailing_since.get_or_insert(began);
            }
            _ => *health = Health { is_known: true, ailing_since: None },
        }
    }

    /// Whether to try again after a pause. What fails while the server ails shares its time, or a
    /// run of a thousand requests would take days to fail.
    fn has_patience(&self, began: Instant, pause: Duration) -> bool {
        let health = lock(&self.health);
        let patience = match health.is_known {
            true => self.limits.patience,
            false => self.limits.first_patience,
        };
        Instant::now() + pause < health.ailing_since.unwrap_or(began).min(began) + patience
    }

    /// Wait; true as soon as there is no use in waiting because the work was cancelled.
    async fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            if lock(&self.work).is_cancelled() {
                return true;
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return false;
            }
            tokio::time::sleep(rest.min(TICK)).await;
        }
    }

    /// Send the request once and take the whole answer. Sending and taking have the time that
    /// their content needs, each for itself: how long an answer is shows when it begins.
    async fn attempt(&self, request: &Request<Buffer>) -> Either<Response<Buffer>, Fault> {
        let _slot = self.slots.acquire().await;
        let sent_bytes = request.body().len() as u64;
        let response = within(self.limits.attempt_for(sent_bytes), self.send(request)).await?;
        let most_bytes = match response.status().is_success() {
            true => most_answered(request),
            false => LARGEST_REFUSAL_BYTES,
        };
        let answered_bytes = response.content_length().unwrap_or_default().min(most_bytes);
        let taken = self.take(response, most_bytes);
        let answer = within(self.limits.attempt_for(answered_bytes), taken).await?;
        if answer.status().is_success() {
            return match is_listing(request) && !is_whole_listing(answer.body()) {
                true => Err(Fault::CutOff("the listing ends in the middle".to_owned())),
                false => Ok(answer),
            };
        }
        let body = answer.body().to_bytes();
        Err(Fault::Refused(Refusal::new(answer.status(), answer.headers(), &body)))
    }

    async fn send(&self, request: &Request<Buffer>) -> Either<reqwest::Response, Fault> {
        let mut sent = self
            .client
            .request(request.method().clone(), request.uri().to_string())
            .headers(request.headers().clone());
        if request.method() == Method::PUT {
            sent = sent.body(Body::wrap(PacedBody::new(request.body().clone(), self.pace.clone())));
        }
        sent.send().await.map_err(|error| Fault::of(&error))
    }

    async fn take(
        &self,
        mut response: reqwest::Response,
        most_bytes: u64,
    ) -> Either<Response<Buffer>, Fault> {
        let mut content = Vec::new();
        let mut size_bytes = 0;
        loop {
            let chunk = async { response.chunk().await.map_err(|error| Fault::of(&error)) };
            let Some(chunk) = within(self.limits.idle, chunk).await? else { break };
            size_bytes += chunk.len() as u64;
            if size_bytes > most_bytes {
                return Err(Fault::TooLarge(most_bytes));
            }
            self.pace.pass(chunk.len()).await;
            content.push(chunk);
        }
        Ok(whole(response.status(), response.headers(), content))
    }
}

/// What comes of `work`, unless it takes longer.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Either<T, Fault>>,
) -> Either<T, Fault> {
    timeout(limit, work).await.unwrap_or(Err(Fault::TooSlow(limit)))
}

fn whole(status: StatusCode, headers: &HeaderMap, content: Vec<Bytes>) -> Response<Buffer> {
    let mut answer = Response::new(Buffer::from(content));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers.clone();
    answer
}

/// The bytes that a request asks for by their range.
fn request_range(request: &Request<Buffer>) -> Option<u64> {
    let range = request.headers().get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    last.parse::<u64>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
}

fn is_listing(request: &Request<Buffer>) -> bool {
    request.uri().query().is_some_and(|query| query.contains("list-type="))
}

/// Whether a page has its end; under load servers give parts of one.
fn is_whole_listing(page: &Buffer) -> bool {
    page.to_bytes().trim_ascii_end().ends_with(b"</ListBucketResult>")
}

/// How many bytes an answer to this request may hold.
fn most_answered(request: &Request<Buffer>) -> u64 {
    match (is_listing(request), request.method() == Method::GET) {
        (true, _) => LARGEST_PAGE_BYTES,
        (false, true) => request_range(request)
            .unwrap_or_else(|| MOST_BYTES.try_with(|most| *most).unwrap_or(LARGEST_OBJECT_BYTES)),
        (false, false) => LARGEST_REFUSAL_BYTES,
    }
}

impl Limits {
    /// How long an attempt may take that moves this many bytes. Where the pace is bounded, all that
    /// go at a time share it.
    fn attempt_for(&self, bytes: u64) -> Duration {
        let share = self.bytes_per_second.map(|pace| pace / self.connections.max(1) as u64);
        let slowest = share.unwrap_or(u64::MAX).min(self.slowest_bytes_per_second);
        self.attempt + Duration::from_secs(bytes / slowest.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_at_a_bounded_pace_has_the_time_it_needs_beside_others() {
        let pack_bytes = 16 << 20;
        let bounded = Limits { bytes_per_second: Some(64 << 10), ..Limits::default() };

        assert!(bounded.attempt_for(pack_bytes) >= Duration::from_secs(8 * 256));
        assert_eq!(Limits::default().attempt_for(pack_bytes), Duration::from_secs(60 + 512));
        assert_eq!(Limits::default().attempt_for(0), Duration::from_mins(1));
    }
}
