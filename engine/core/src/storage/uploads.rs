//! Packs on their way to cold, several at a time, while the next ones are made.
//!
//! Whatever names a pack may only be written once it is there: [`Uploads::drain`] comes first.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use crate::{
    error::Result,
    workers::{catching, lock},
};

/// Bytes that wait to be written, at most; a single pack may be longer.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// What is being written just now.
pub struct Uploads {
    most_at_once: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    count: usize,
    bytes: u64,
}

impl Uploads {
    /// So many at a time; with one each is waited for.
    pub fn new(most_at_once: usize) -> Self {
        Self { most_at_once, shared: Arc::default() }
    }

    /// Do `write`, which writes `bytes`, now or soon; what comes of it goes to `ended`.
    /// Waits while too much is on its way.
    pub fn start(
        &self,
        bytes: u64,
        write: impl FnOnce() -> Result<()> + Send + 'static,
        ended: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        if self.most_at_once <= 1 {
            return ended(write());
        }
        self.wait_until(|state| {
            let has_room = state.bytes + bytes <= MOST_BYTES && state.count < self.most_at_once;
            has_room || state.count == 0
        });
        {
            let mut state = lock(&self.shared.state);
            state.count += 1;
            state.bytes += bytes;
        }
        let shared = self.shared.clone();
        let work = move || {
            // One that is never counted as ended would be waited for without end.
            ended(catching(write));
            let mut state = lock(&shared.state);
            state.count -= 1;
            state.bytes -= bytes;
            shared.changed.notify_all();
        };
        thread::spawn(work);
    }

    /// Wait until nothing is on its way.
    pub fn drain(&self) {
        self.wait_until(|state| state.count == 0);
    }

    fn wait_until(&self, is_so: impl Fn(&State) -> bool) {
        let state = lock(&self.shared.state);
        let waited = self.shared.changed.wait_while(state, |state| !is_so(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        self.drain();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
        time::Duration,
    };

    use super::*;
    use crate::error::ErrorKind;

    const MIB: u64 = 1024 * 1024;

    /// The most uploads and bytes that were on their way at once.
    fn most(uploads: &Uploads, sizes: &[u64]) -> (usize, u64) {
        let now = Arc::new((AtomicUsize::new(0), AtomicU64::new(0)));
        let most = Arc::new((AtomicUsize::new(0), AtomicU64::new(0)));
        for bytes in sizes.iter().copied() {
            let (now, most) = (now.clone(), most.clone());
            let write = move || {
                most.0.fetch_max(now.0.fetch_add(1, SeqCst) + 1, SeqCst);
                most.1.fetch_max(now.1.fetch_add(bytes, SeqCst) + bytes, SeqCst);
                thread::sleep(Duration::from_millis(20));
                now.0.fetch_sub(1, SeqCst);
                now.1.fetch_sub(bytes, SeqCst);
                Ok(())
            };
            uploads.start(bytes, write, |ended| ended.unwrap());
        }
        uploads.drain();
        assert_eq!(now.0.load(SeqCst), 0);
        (most.0.load(SeqCst), most.1.load(SeqCst))
    }

    #[test]
    fn as_many_go_at_once_as_may_and_no_more_bytes_than_fit() {
        assert_eq!(most(&Uploads::new(4), &[1; 20]).0, 4);
        assert_eq!(most(&Uploads::new(1), &[1; 3]).0, 1);
        let (count, bytes) = most(&Uploads::new(8), &[30 * MIB; 6]);
        assert_eq!((count, bytes), (2, 60 * MIB));
        assert_eq!(most(&Uploads::new(8), &[100 * MIB; 3]), (1, 100 * MIB));
    }

    #[test]
    fn a_panic_is_an_error_and_is_not_waited_for() {
        let uploads = Uploads::new(2);
        let told = Arc::new(Mutex::new(None));
        let tell = told.clone();

        uploads.start(1, || panic!("no"), move |ended| *lock(&tell) = Some(ended));
        uploads.drain();

        let error = lock(&told).take().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
