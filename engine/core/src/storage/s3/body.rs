//! What an upload sends, no faster than it may.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use opendal::Buffer;
use tokio::time::{Sleep, sleep};

use crate::pace::Pace;

/// What is sent at a time while there is a pace to keep.
const PACED_BYTES: usize = 64 * 1024;

/// The content of an upload.
pub struct PacedBody {
    rest: Buffer,
    pace: Arc<Pace>,
    /// The part that waits for its turn.
    next: Option<(Bytes, Pin<Box<Sleep>>)>,
}

impl PacedBody {
    /// Send `content` at the pace that all requests share.
    pub fn new(content: Buffer, pace: Arc<Pace>) -> Self {
        Self { rest: content, pace, next: None }
    }

    fn cut(&mut self) -> Option<Bytes> {
        if !self.pace.is_bounded() {
            return self.rest.next();
        }
        let length = self.rest.len().min(PACED_BYTES);
        let part = self.rest.slice(..length).to_bytes();
        self.rest = self.rest.slice(length..);
        (length > 0).then_some(part)
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.next.is_none() {
            let Some(part) = self.cut() else { return Poll::Ready(None) };
            let wait = self.pace.take(part.len(), Instant::now());
            if wait.is_zero() {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            self.next = Some((part, Box::pin(sleep(wait))));
        }
        if let Some((_, wait)) = &mut self.next {
            ready!(wait.as_mut().poll(context));
        }
        Poll::Ready(self.next.take().map(|(part, _)| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.next.as_ref().map_or(0, |(part, _)| part.len());
        SizeHint::with_exact((waiting + self.rest.len()) as u64)
    }
}
