//! An index that answers while it is still being read.
//!
//! The last index object of a run is its smallest and lists the root of its snapshot: objects are
//! read smallest first, so that a listing begins long before all of a large index was read.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::{
    blob::{Blob, Location},
    index::{IndexBuilder, Places},
    reader::{INDEX_WORKERS, Reader, damage},
};
use crate::{
    control::Control,
    error::{Error, Result},
    issue::Issue,
    object::{Object, ObjectId, ObjectKind},
    workers::lock,
};

/// Between two looks at the wish to stop while waiting for a blob.
const GLANCE: Duration = Duration::from_millis(100);

/// What is wanted of an index, as far as it was read.
pub struct GrowingIndex<'a> {
    reader: &'a Reader,
    control: &'a Control,
    is_wanted: &'a (dyn Fn(Blob) -> bool + Sync),
    state: Mutex<State>,
    grown: Condvar,
}

/// An object that is being read. Dropped where that panics as well, which ends the thread: whoever
/// waits for the object, or for one that no thread is left to read, would wait for ever.
struct Reading<'a>(&'a GrowingIndex<'a>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.reading -= 1;
        if thread::panicking() {
            state.waiting.clear();
        }
        drop(state);
        self.0.grown.notify_all();
    }
}

#[derive(Default)]
struct State {
    found: IndexBuilder,
    /// Objects to be read, the next one last.
    waiting: Vec<(ObjectId, u64)>,
    /// Objects that are being read now.
    reading: usize,
    issues: Vec<Issue>,
    failure: Option<Error>,
}

impl<'a> GrowingIndex<'a> {
    /// Do `work` while the index of `reader` is read. What is not wanted is not kept.
    pub fn with<T>(
        reader: &'a Reader,
        control: &'a Control,
        is_wanted: &'a (dyn Fn(Blob) -> bool + Sync),
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let mut waiting = reader.storage().list(ObjectKind::Index)?;
        waiting.sort_unstable_by_key(|(id, size_bytes)| std::cmp::Reverse((*size_bytes, *id)));
        let found = IndexBuilder::expecting(&waiting);
        let state = Mutex::new(State { found, waiting, ..State::default() });
        let index = Self { reader, control, is_wanted, state, grown: Condvar::new() };
        thread::scope(|scope| {
            (0..INDEX_WORKERS).for_each(|_| drop(scope.spawn(|| index.read_objects())));
            let result = work(&index);
            lock(&index.state).waiting.clear();
            result
        })
    }

    /// Wait until every object was read; returns an issue for each that cannot be used.
    pub fn complete(&self) -> Result<Vec<Issue>> {
        let mut state = self.wait_until(State::is_complete);
        self.control.check()?;
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        let mut issues = state.issues.clone();
        issues.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(issues)
    }

    fn read_objects(&self) {
        while let Some((id, size_bytes)) = self.next_object() {
            let _reading = Reading(self);
            let read = self.reader.index_object(id, size_bytes);
            let mut state = lock(&self.state);
            match read {
                Ok(object) => state.found.add_wanted(&object, self.is_wanted),
                Err(error) => state.note(id, error),
            }
        }
    }

    fn next_object(&self) -> Option<(ObjectId, u64)> {
        let mut state = lock(&self.state);
        let next = state.waiting.pop().filter(|_| !self.control.is_cancelled());
        state.reading += usize::from(next.is_some());
        next
    }

    /// Wait for what `is_enough` says, or for the wish to stop.
    fn wait_until(
        &self,
        mut is_enough: impl FnMut(&mut State) -> bool,
    ) -> std::sync::MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        while !is_enough(&mut state) && !self.control.is_cancelled() {
            let waited = self.grown.wait_timeout(state, GLANCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }
}

impl State {
    fn is_complete(&mut self) -> bool {
        self.waiting.is_empty() && self.reading == 0
    }

    fn note(&mut self, id: ObjectId, error: Error) {
        match damage(&Object::Hashed(ObjectKind::Index, id), error) {
            Ok(issue) => self.issues.push(issue),
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Places for GrowingIndex<'_> {
    /// The places known when there is one, and the others once those were tried in vain.
    fn places(&self, blob: Blob) -> impl Iterator<Item = Location> {
        let mut first = Vec::new();
        drop(self.wait_until(|state| {
            first = state.found.locations(blob);
            !first.is_empty() || state.is_complete()
        }));
        let known = first.clone();
        let later = move || self.wait_until(State::is_complete).found.locations(blob);
        let later = std::iter::once_with(later).flatten();
        first.into_iter().chain(later.filter(move |location| !known.contains(location)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{Arc, mpsc},
    };

    use bytes::Bytes;

    use super::*;
    use crate::{key::RepositoryKey, storage::ReadStorage};

    /// Lists objects that nobody can read without a panic.
    struct Panicking;

    impl ReadStorage for Panicking {
        fn location(&self) -> String {
            "panicking".to_owned()
        }

        fn list(&self, _: ObjectKind) -> Result<Vec<(ObjectId, u64)>> {
            Ok((0..5).map(|byte| (ObjectId([byte; 32]), 100)).collect())
        }

        fn read(&self, object: &Object) -> Result<Option<Bytes>> {
            panic!("reading {object}")
        }

        fn read_range(&self, object: &Object, _: u64, _: usize) -> Result<Bytes> {
            panic!("reading {object}")
        }

        fn size(&self, _: &Object) -> Result<Option<u64>> {
            Ok(None)
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_panicked() {
        let bytes: Vec<u8> = (0..64).map(|byte: u8| byte.wrapping_mul(byte)).collect();
        let key = RepositoryKey::from_bytes(&bytes).unwrap();
        let reader = Reader::new(Arc::new(Panicking), &key);
        let control = &Control::default();
        let (done, waiting) = mpsc::channel::<()>();
        let mut waited = None;

        let ended = thread::scope(|scope| {
            scope.spawn(move || {
                let _ = waiting.recv_timeout(Duration::from_secs(20));
                control.cancel();
            });
            let ended = catch_unwind(AssertUnwindSafe(|| {
                GrowingIndex::with(&reader, control, &|_| true, |index| {
                    waited = Some(index.complete());
                    Ok(())
                })
            }));
            drop(done);
            ended
        });

        assert!(waited.unwrap().is_ok(), "it waited until it was cancelled");
        assert!(ended.is_err(), "the panic is not lost");
    }
}
