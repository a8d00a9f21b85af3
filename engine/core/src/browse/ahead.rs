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

/// Threads that read, and large pieces in memory: 64 MiB, were all as long as a piece may be.
const READERS: usize = 4;
/// Smaller pieces are read when they are wanted: to hand one to a thread takes longer.
const SMALL_BYTES: u32 = 64 << 10;
/// What is planned ahead, whatever it is.
const MOST_PLANNED: usize = 1024;

type Answer = Result<Vec<u8>>;

/// A piece of content.
pub enum Piece {
    /// A thread reads it.
    Coming(Receiver<Answer>),
    /// It is to be read.
    Small(Blob),
}

/// What comes out, in the order in which it was planned.
pub struct Planned<T> {
    /// What begins here.
    pub head: Option<T>,
    /// The next piece of content.
    pub piece: Option<Piece>,
}

/// Takes what is to come out.
pub struct Planner<'a, T, I> {
    /// Reads what is planned.
    pub blobs: &'a BlobReader<'a, I>,
    head: Option<T>,
    planned: Sender<Planned<T>>,
    /// One is put in for each piece that a thread reads, and taken out when it was consumed.
    places: Sender<()>,
    jobs: Sender<(Blob, Sender<Answer>)>,
}

impl<T, I: Places> Planner<'_, T, I> {
    /// Begin something new; fails when nobody takes it any more.
    pub fn head(&mut self, head: T) -> Result<()> {
        self.flush()?;
        self.head = Some(head);
        Ok(())
    }

    /// Add the piece of content `id`.
    pub fn piece(&mut self, id: ObjectId) -> Result<()> {
        let blob = Blob { kind: BlobKind::Data, id };
        let place = self.blobs.index().places(blob).next();
        let is_large = place.is_some_and(|place| place.plain_bytes() > SMALL_BYTES);
        let piece = if is_large { Piece::Coming(self.begin(blob)?) } else { Piece::Small(blob) };
        let head = self.head.take();
        self.send(Planned { head, piece: Some(piece) })
    }

    /// Have `blob` read as soon as there is a place for it.
    fn begin(&self, blob: Blob) -> Result<Receiver<Answer>> {
        let (answer, piece) = bounded(1);
        self.places.send(()).map_err(|_| gone())?;
        self.jobs.send((blob, answer)).map_err(|_| gone())?;
        Ok(piece)
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
pub struct Queue<'a, T, I> {
    blobs: &'a BlobReader<'a, I>,
    control: &'a Control,
    planned: Receiver<Planned<T>>,
    places: Receiver<()>,
}

impl<T, I: Places> Queue<'_, T, I> {
    /// The next, or None at the end of what was planned.
    pub fn next(&self) -> Result<Option<Planned<T>>> {
        self.control.check()?;
        Ok(self.planned.recv().ok())
    }

    /// The bytes of a piece, verified.
    pub fn content(&self, piece: &Piece) -> Answer {
        let content = match piece {
            Piece::Small(blob) => self.blobs.read(*blob)?,
            Piece::Coming(piece) => {
                let content = piece.recv().unwrap_or_else(|_| Err(gone()))?;
                self.places.recv().map_err(|_| gone())?;
                content
            }
        };
        self.control.add_bytes(content.len() as u64);
        Ok(content)
    }
}

/// Let `plan` say what comes out, and `consume` take it; both at the same time.
/// Only when it succeeds all that was planned was consumed.
pub fn read_ahead<T: Send, I: Places + Sync>(
    blobs: &BlobReader<'_, I>,
    control: &Control,
    plan: impl FnOnce(&mut Planner<'_, T, I>) -> Result<()> + Send,
    consume: impl FnOnce(&Queue<'_, T, I>) -> Result<()>,
) -> Result<()> {
    let (jobs, waiting) = unbounded::<(Blob, Sender<Answer>)>();
    let (sender, planned) = bounded(MOST_PLANNED);
    let (taken, places) = bounded(READERS);
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
            let mut ahead = Planner { blobs, head: None, planned: sender, places: taken, jobs };
            plan(&mut ahead).and_then(|()| ahead.flush())
        });
        // The queue ends here: whoever still plans for it learns that nobody takes it any more.
        let consumed = consume(&Queue { blobs, control, planned, places });
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
