//! Content read ahead: by several threads, given out in order, in bounded memory.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::{
        blob::{Blob, BlobKind},
        index::Places,
        reader::BlobReader,
    },
    object::ObjectId,
};

/// Threads that read, and pieces in memory: 64 MiB, were all as long as a piece may be.
const READERS: usize = 4;

type Answer = Result<Vec<u8>>;

/// What comes out, in the order in which it was planned.
pub struct Planned<T> {
    /// What begins here.
    pub head: Option<T>,
    /// The next piece of content.
    pub piece: Option<Receiver<Answer>>,
}

/// Takes what is to come out.
pub struct Planner<T> {
    head: Option<T>,
    planned: Sender<Planned<T>>,
    jobs: Sender<(Blob, Sender<Answer>)>,
}

impl<T> Planner<T> {
    /// Begin something new; fails when nobody takes it any more.
    pub fn head(&mut self, head: T) -> Result<()> {
        self.flush()?;
        self.head = Some(head);
        Ok(())
    }

    /// Add the piece of content `id`.
    pub fn piece(&mut self, id: ObjectId) -> Result<()> {
        let (answer, piece) = bounded(1);
        let head = self.head.take();
        self.send(Planned { head, piece: Some(piece) })?;
        // Only now, so that no more is read than has its place in the queue.
        let blob = Blob { kind: BlobKind::Data, id };
        self.jobs.send((blob, answer)).map_err(|_| gone())
    }

    fn flush(&mut self) -> Result<()> {
        match self.head.take() {
            Some(head) => self.send(Planned { head: Some(head), piece: None }),
            None => Ok(()),
        }
    }

    fn send(&self, planned: Planned<T>) -> Result<()> {
        self.planned.send(planned).map_err(|_| gone())
    }
}

/// Gives what was planned.
pub struct Queue<'a, T> {
    planned: Receiver<Planned<T>>,
    control: &'a Control,
}

impl<T> Queue<'_, T> {
    /// The next, or None at the end of what was planned.
    pub fn next(&self) -> Result<Option<Planned<T>>> {
        self.control.check()?;
        Ok(self.planned.recv().ok())
    }

    /// The bytes of a piece, verified.
    pub fn content(&self, piece: &Receiver<Answer>) -> Answer {
        let content = piece.recv().unwrap_or_else(|_| Err(gone()))?;
        self.control.add_bytes(content.len() as u64);
        Ok(content)
    }
}

/// Let `plan` say what comes out, and `consume` take it; both at the same time.
/// Only when it succeeds all that was planned was consumed.
pub fn read_ahead<T: Send, I: Places + Sync>(
    blobs: &BlobReader<'_, I>,
    control: &Control,
    plan: impl FnOnce(&mut Planner<T>) -> Result<()> + Send,
    consume: impl FnOnce(&Queue<'_, T>) -> Result<()>,
) -> Result<()> {
    let (jobs, waiting) = unbounded::<(Blob, Sender<Answer>)>();
    let (sender, planned) = bounded(READERS - 1);
    thread::scope(|scope| {
        for _ in 0..READERS {
            let waiting = waiting.clone();
            scope.spawn(move || {
                for (blob, answer) in waiting {
                    // Who does not take the answer any more has said why.
                    let _ = answer.send(blobs.read(blob));
                }
            });
        }
        let planning = scope.spawn(move || {
            let mut ahead = Planner { head: None, planned: sender, jobs };
            plan(&mut ahead).and_then(|()| ahead.flush())
        });
        // The queue ends here: whoever still plans for it learns that nobody takes it any more.
        let consumed = consume(&Queue { planned, control });
        let planned = planning.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (consumed, planned) {
            (Err(error), Err(gone)) if gone.kind() == ErrorKind::Cancelled => Err(error),
            (consumed, planned) => planned.and(consumed),
        }
    })
}

fn gone() -> Error {
    Error::new(ErrorKind::Cancelled, "nobody takes what is read")
}
