//! Connections to one server, each of which does one thing after the other.
//!
//! Folders are listed ahead of who walks them, breadth first; files are read ahead of who opens
//! them, in their order, as far as memory allows. The number of connections grows while there is
//! work, and shrinks where the server bears no more.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    doubts::{Doubt, Doubts},
    listings::Listings,
    place::Place,
    reading::{Reading, ended},
    worker::Worker,
};
use crate::{
    control::Control,
    ftps::{Class, Connection, Fault, listing::Listing, moment::Moment},
    issue::Issue,
    workers::catching,
};

/// Connections at the start; more come while there is work for them.
const FIRST_CONNECTIONS: usize = 4;
/// How many folders one connection lists together, where the server bears that.
const MOST_FOLDERS_TOGETHER: usize = 16;
/// What is read ahead of the archiver, in bytes.
const MOST_READ_AHEAD: u64 = 64 * 1024 * 1024;

/// What the connections share.
pub struct Pool {
    /// Where everything is.
    pub place: Place,
    /// The run's.
    pub control: Arc<Control>,
    state: Mutex<State>,
    /// There may be something to do: rung for connections.
    has_work: Condvar,
    /// Something was done that somebody may wait for.
    is_done: Condvar,
    /// Nothing more will be done.
    is_ended: Condvar,
    /// The server does not bear that the next port is asked for ahead.
    pub mixes_up: AtomicBool,
    /// Folders can be listed together.
    pub lists_together: AtomicBool,
}

#[derive(Default)]
struct State {
    listings: Listings,
    reads: VecDeque<Arc<Reading>>,
    /// Files that are being read, in the order in which that began.
    active: Vec<Arc<Reading>>,
    /// Bytes that are, or will be, in memory of files that nobody has taken yet.
    read_ahead_bytes: u64,
    doubts: Doubts,
    connections: usize,
    /// As many connections as the server bears.
    most_connections: usize,
    idle: usize,
    has_ended: bool,
    /// What ended everything.
    failure: Option<Fault>,
    /// Why nothing more is listed; what was listed is still read.
    shortfall: Option<Fault>,
    /// Since when the server does nothing that it is asked.
    away_since: Option<Instant>,
}

/// What a connection does next.
pub enum Task {
    /// List folders.
    List(Vec<Vec<u8>>),
    /// Read a file.
    Read(Arc<Reading>),
    /// See that files did not change while they were read.
    Compare(Vec<Doubt>),
}

impl Pool {
    /// Nothing is done before [`Pool::start`].
    pub fn new(place: Place, control: Arc<Control>) -> Arc<Self> {
        let state = State { most_connections: place.most_connections.max(1), ..State::default() };
        Arc::new(Self {
            place,
            control,
            state: Mutex::new(state),
            has_work: Condvar::new(),
            is_done: Condvar::new(),
            is_ended: Condvar::new(),
            mixes_up: AtomicBool::new(false),
            lists_together: AtomicBool::new(false),
        })
    }

    /// Begin with a connection that is open already.
    pub fn start(self: &Arc<Self>, first: Connection) {
        self.work_with(Some(first));
        for _ in 1..FIRST_CONNECTIONS.min(self.place.most_connections) {
            self.work_with(None);
        }
        let pool = self.clone();
        thread::spawn(move || pool.watch());
    }

    /// End everything once it took too long.
    fn watch(&self) {
        let began = Instant::now();
        let mut state = self.state.lock();
        while !self.is_over(&state) {
            if began.elapsed() > self.place.bounds.run {
                drop(state);
                return self.fail(&self.place.bounds.is_late());
            }
            wait(&self.is_ended, &mut state);
        }
    }

    /// Nothing more is needed; connections end, whatever they do.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        self.end_reads(state, &ended());
    }

    /// List nothing more, and read what was listed.
    pub fn fall_short(&self, fault: Fault) {
        let mut state = self.state.lock();
        state.listings = Listings::default();
        state.shortfall.get_or_insert(fault);
    }

    /// Why not all was read that there is, if something is missing.
    pub fn shortfall(&self) -> Option<Fault> {
        let state = self.state.lock();
        state.failure.clone().or_else(|| state.shortfall.clone())
    }

    /// What a folder holds; waits until it is listed, which is done next.
    pub fn listed(&self, path: &[u8]) -> Result<Listing, Fault> {
        let mut state = self.state.lock();
        state.listings.now(path);
        self.has_work.notify_one();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.has_ended || self.control.is_ending() {
                return Err(ended());
            }
            if let Some(result) = state.listings.take(path) {
                return result;
            }
            wait(&self.is_done, &mut state);
        }
    }

    /// Read a file ahead of who opens it.
    pub fn read_later(&self, reading: Arc<Reading>) {
        self.state.lock().reads.push_back(reading);
        self.has_work.notify_one();
    }

    /// Read a file next, unless that has begun: somebody waits for it. Where all connections are
    /// busy with what nobody takes yet, one of them is free for it.
    pub fn read_now(&self, reading: &Arc<Reading>) {
        let mut state = self.state.lock();
        let is_active = state.active.iter().any(|active| Arc::ptr_eq(active, reading));
        if !is_active && !reading.has_ended() {
            state.reads.retain(|queued| !Arc::ptr_eq(queued, reading));
            // Whoever waits for longer stands before it.
            let place = state.reads.iter().take_while(|queued| queued.is_wanted()).count();
            state.reads.insert(place, reading.clone());
            if state.idle == 0 {
                let unwanted = state.active.iter().rfind(|active| !active.is_wanted());
                unwanted.inspect(|active| active.interrupt(true));
            }
        }
        drop(state);
        self.has_work.notify_one();
    }

    /// Nobody takes a file any more: its memory is free, and it need not be read.
    pub fn forget(&self, reading: &Arc<Reading>) {
        let mut state = self.state.lock();
        state.reads.retain(|queued| !Arc::ptr_eq(queued, reading));
        state.read_ahead_bytes -= reading.reserve(0);
        drop(state);
        self.has_work.notify_all();
    }

    fn work_with(self: &Arc<Self>, connection: Option<Connection>) {
        self.state.lock().connections += 1;
        let pool = self.clone();
        thread::spawn(move || {
            let mut worker = Worker::new(pool.clone(), connection);
            let done = catching(|| {
                worker.run();
                Ok(())
            });
            if let Err(error) = done {
                pool.fail(&Fault::new(Class::Configuration, error.to_string()));
            }
            pool.has_work.notify_one();
        });
    }

    /// The next thing to do; None where there will be none. Files first: somebody waits for them.
    pub fn next_task(self: &Arc<Self>) -> Option<(Task, bool)> {
        let mut state = self.state.lock();
        loop {
            if self.is_over(&state) || state.connections > state.most_connections {
                // Counted here: two that see one too many must not both go.
                state.connections -= 1;
                return None;
            }
            let task = self.take_task(&mut state);
            if let Some(task) = task {
                let has_more = !state.reads.is_empty();
                let has_work = !state.reads.is_empty() || state.listings.has_next();
                if has_work && state.idle == 0 && state.connections < state.most_connections {
                    drop(state);
                    self.work_with(None);
                }
                return Some((task, has_more));
            }
            state.idle += 1;
            wait(&self.has_work, &mut state);
            state.idle -= 1;
        }
    }

    fn take_task(&self, state: &mut State) -> Option<Task> {
        let has_lists = state.listings.has_next();
        if (!state.reads.is_empty() || !has_lists)
            && let Some(batch) = state.doubts.due(state.reads.front())
        {
            return Some(Task::Compare(batch));
        }
        if let Some(reading) = state.reads.front() {
            let bytes = reading.read_ahead_bytes();
            let has_room = state.read_ahead_bytes + bytes <= MOST_READ_AHEAD;
            if has_room || reading.is_wanted() || state.read_ahead_bytes == 0 {
                let reading = state.reads.pop_front()?;
                // One that was interrupted is counted already.
                state.read_ahead_bytes += bytes - reading.reserve(bytes).min(bytes);
                reading.interrupt(false);
                state.active.push(reading.clone());
                return Some(Task::Read(reading));
            }
        }
        let share = match self.lists_together.load(Relaxed) {
            true => state.listings.waiting() / state.connections.max(1),
            false => 1,
        };
        let folders = state.listings.next_ones(share.clamp(1, MOST_FOLDERS_TOGETHER));
        (!folders.is_empty()).then_some(Task::List(folders))
    }

    /// A folder was listed, or never will be; what lies in it is listed later.
    pub fn note_listed(&self, path: Vec<u8>, result: Result<Listing, Fault>) {
        // Without the root there is nothing to store.
        let root_fault = result.as_ref().err().filter(|_| path.is_empty());
        root_fault.inspect(|fault| self.fail(fault));
        let is_left_out = |path: &[u8]| self.place.leaves_out(path, true);
        self.state.lock().listings.note(path, result, is_left_out);
        self.is_done.notify_all();
        self.has_work.notify_all();
    }

    /// Another connection lists a folder next.
    pub fn list_next(&self, path: Vec<u8>) {
        self.state.lock().listings.again(path);
        self.has_work.notify_one();
    }

    /// A file was read to its end, or never will be, or another connection has to.
    pub fn note_read(&self, reading: &Arc<Reading>, result: Result<(), Fault>) {
        let is_later = matches!(&result, Err(fault)
            if matches!(fault.class, Class::Capacity | Class::Interrupted));
        let mut state = self.state.lock();
        state.active.retain(|active| !Arc::ptr_eq(active, reading));
        if result.is_ok() {
            state.doubts.add(reading);
        }
        match is_later {
            // What somebody waits for stands before it.
            _ if reading.is_dropped() => {}
            true if reading.is_wanted() => state.reads.push_front(reading.clone()),
            true => {
                let place = state.reads.iter().take_while(|queued| queued.is_wanted()).count();
                state.reads.insert(place, reading.clone());
            }
            false => reading.end(result),
        }
        drop(state);
        if is_later {
            self.has_work.notify_one();
        }
    }

    /// What the server says of files that were read.
    pub fn note_compared(&self, batch: Vec<Doubt>, result: Result<Vec<Option<Moment>>, Fault>) {
        let mut state = self.state.lock();
        // What ended everything is no word about these.
        let result = if state.failure.is_some() { Err(ended()) } else { result };
        state.doubts.answer(batch, result);
        drop(state);
        self.is_done.notify_all();
        self.has_work.notify_one();
    }

    /// All was read: wait until it is known what changed meanwhile.
    pub fn settle(&self) -> Vec<Issue> {
        let mut state = self.state.lock();
        while !state.doubts.are_settled() && !self.is_over(&state) {
            wait(&self.is_done, &mut state);
        }
        state.doubts.take_issues()
    }

    /// The server did what it was asked.
    pub fn note_well(&self) {
        self.state.lock().away_since = None;
    }

    /// For how long the server has done nothing that it was asked.
    pub fn away_for(&self) -> Duration {
        self.state.lock().away_since.get_or_insert_with(Instant::now).elapsed()
    }

    /// End everything: nothing that is done from now on would be of use.
    pub fn fail(&self, fault: &Fault) {
        let mut state = self.state.lock();
        state.failure.get_or_insert(fault.clone());
        self.end_reads(state, fault);
    }

    fn end_reads(&self, mut state: MutexGuard<'_, State>, fault: &Fault) {
        // First, so that no file is told for what is told of the whole.
        self.control.leave_source();
        state.reads.drain(..).for_each(|reading| reading.end(Err(fault.clone())));
        drop(state);
        self.has_work.notify_all();
        self.is_done.notify_all();
        self.is_ended.notify_all();
    }

    /// The server bears one connection less, and whoever asks goes; false where he is the last one.
    pub fn shrink(&self) -> bool {
        let mut state = self.state.lock();
        if state.failure.is_some() || state.connections < 2 {
            return false;
        }
        state.connections -= 1;
        state.most_connections = state.most_connections.min(state.connections);
        true
    }

    /// Whether nothing more is to be done.
    pub fn is_ending(&self) -> bool {
        self.is_over(&self.state.lock())
    }

    fn is_over(&self, state: &State) -> bool {
        state.has_ended || state.failure.is_some() || self.control.is_ending()
    }
}

/// A cancelled run does not ring; whoever waits looks from time to time.
pub fn wait<T>(changed: &Condvar, state: &mut MutexGuard<'_, T>) {
    changed.wait_for(state, Duration::from_millis(200));
}
