//! Several threads that share one list of work.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, PoisonError},
    thread,
};

use crate::error::{Error, ErrorKind, Result};

/// Threads that read from storage. More than the processors, because they wait as well; each
/// holds one range of a pack and one blob, which bounds memory.
pub const WORKERS: usize = 8;

/// Do `work` for every item, in the items' order, on up to `threads` threads.
/// The first error ends the work and is returned; items already begun are finished.
pub fn for_each<T: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let threads = threads.min(items.len());
    let queue = Mutex::new(items.into_iter());
    let first_error = Mutex::new(Ok(()));
    // In the loop's own head the lock would be held while the work is done.
    let next = || lock(&queue).next();
    let drain = || {
        while let Some(item) = next() {
            if let Err(error) = work(item) {
                *lock(&queue) = Vec::new().into_iter();
                let mut first_error = lock(&first_error);
                if first_error.is_ok() {
                    *first_error = Err(error);
                }
            }
        }
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(drain)));
        drain();
    });
    first_error.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What `work` makes of each item, in the items' order; done as by [`for_each`].
pub fn map_each<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let mut made: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let places = items.into_iter().zip(&mut made).collect();
    for_each(threads, places, |(item, place)| {
        *place = Some(work(item)?);
        Ok(())
    })?;
    Ok(made.into_iter().flatten().collect())
}

/// Do both at the same time; where each waits for a network, that takes as long as one.
pub fn both<A, B: Send>(one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        (one, other.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Do `work`; a panic in it becomes an error. In a thread of the archiver it would be told, and
/// the archiver may well go on as if nothing had happened.
pub fn catching<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::new(ErrorKind::Internal, format!("the archiver panicked: {text}")))
    })
}

/// The value behind `mutex`. A panic in another thread ends the whole call anyway.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[test]
    fn every_item_is_done_once() {
        let sum = AtomicU64::new(0);
        for_each(4, (1..=1000).collect(), |item| {
            sum.fetch_add(item, Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 500_500);
    }

    #[test]
    fn what_is_made_of_each_item_has_its_place() {
        let doubled = map_each(4, (0..100).collect(), |item: u32| Ok(2 * item)).unwrap();

        assert_eq!(doubled, (0..100).map(|item| 2 * item).collect::<Vec<_>>());
    }

    #[test]
    fn both_are_done_at_the_same_time() {
        let meeting = std::sync::Barrier::new(2);
        let meet = |value| {
            meeting.wait();
            value
        };

        assert_eq!(both(|| meet(1), || meet(2)), (1, 2));
    }

    #[test]
    fn the_first_error_ends_the_work() {
        let done = AtomicU64::new(0);
        let result = for_each(2, (0..100_000).collect(), |item: u32| {
            done.fetch_add(1, Relaxed);
            if item == 10 {
                return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
            }
            Ok(())
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(done.into_inner() < 100_000);
    }
}
