//! How fast bytes may move.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::workers::lock;

/// Lets a number of bytes pass per second, shared by all who ask.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    /// When the bytes that were let through so far will have had their time.
    free_at: Mutex<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Pace {
    /// As many bytes per second, or as many as possible.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Whether bytes ever wait.
    pub fn is_bounded(&self) -> bool {
        self.bytes_per_second.is_some()
    }

    /// Wait until these bytes may move. Where they need not, no timer is asked, which would take a
    /// millisecond each time.
    pub async fn pass(&self, bytes: usize) {
        let wait = self.take(bytes, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long these bytes have to wait; they are counted at once.
    pub fn take(&self, bytes: usize, now: Instant) -> Duration {
        let Some(bytes_per_second) = self.bytes_per_second else { return Duration::ZERO };
        let takes = Duration::from_nanos(
            (bytes as u128 * 1_000_000_000 / u128::from(bytes_per_second.max(1)))
                .try_into()
                .unwrap_or(u64::MAX),
        );
        let mut free_at = lock(&self.free_at);
        let begin = now.max(*free_at);
        *free_at = begin + takes;
        begin - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_at_the_pace_however_many_ask() {
        let pace = Pace::new(Some(1000));
        let now = Instant::now();

        assert_eq!(pace.take(500, now), Duration::ZERO);
        assert_eq!(pace.take(2000, now), Duration::from_millis(500));
        assert_eq!(pace.take(1, now), Duration::from_millis(2500));
        assert_eq!(pace.take(1, now + Duration::from_secs(9)), Duration::ZERO);
        assert_eq!(Pace::new(None).take(usize::MAX, now), Duration::ZERO);
    }
}
