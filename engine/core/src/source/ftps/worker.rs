//! What one connection does, and what it does about faults.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use rustic_core::jiff::Timestamp;

use super::{
    doubts::Doubt,
    explain::{explain, has_grown},
    pauses::{Pauses, rest},
    pool::{Pool, Task},
    reading::{Reading, ended},
    same::is_fresh_for,
};
use crate::ftps::{Class, Connection, Fault, path::join};

/// How often something that may pass is tried.
const MOST_ATTEMPTS: u32 = 3;

/// One connection, and the thread that uses it.
pub struct Worker {
    pool: Arc<Pool>,
    connection: Option<Connection>,
}

/// What was tried to do one thing.
struct Tries {
    failed: u32,
    garbled: u32,
    pauses: Pauses,
}

impl Worker {
    /// With a connection that is open already, or with one that it opens itself.
    pub fn new(pool: Arc<Pool>, connection: Option<Connection>) -> Self {
        Self { pool, connection }
    }

    /// Do one thing after the other, until there is nothing left or one connection is too many.
    pub fn run(&mut self) {
        while let Some((task, has_more)) = self.pool.next_task() {
            let is_one_too_many = match task {
                Task::List(paths) => self.list_all(paths),
                Task::Read(reading) => self.read(&reading, has_more),
                Task::Compare(batch) => self.compare(batch),
            };
            if is_one_too_many {
                return;
            }
        }
    }

    /// List folders together where the server bears that, and alone what is odd then.
    fn list_all(&mut self, paths: Vec<Vec<u8>>) -> bool {
        let mut left = self.list_together(paths).into_iter();
        while let Some(path) = left.next() {
            if self.list(path) {
                left.rev().for_each(|path| self.pool.list_next(path));
                return true;
            }
        }
        false
    }

    /// Returns those that have to be listed alone.
    fn list_together(&mut self, paths: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let root = &self.pool.place.root;
        let full: Vec<Vec<u8>> = paths.iter().map(|path| join(root, path)).collect();
        let full: Vec<&[u8]> = full.iter().map(Vec::as_slice).collect();
        let listings = self.with_connection(&mut |connection| match connection.lists_together() {
            true => connection.list_together(&full),
            false => Ok(Vec::new()),
        });
        let listings = match listings {
            Ok(listings) if listings.is_empty() => return paths,
            Ok(listings) => listings,
            Err(fault) => {
                if fault.ends_connection() {
                    self.connection = None;
                }
                if fault.class == Class::Security {
                    self.pool.fail(&fault);
                }
                return paths;
            }
        };
        self.pool.note_well();
        let mut left = Vec::new();
        for (path, listing) in paths.into_iter().zip(listings) {
            match listing {
                Some(listing) => self.pool.note_listed(path, Ok(listing)),
                None => left.push(path),
            }
        }
        left
    }

    fn list(&mut self, path: Vec<u8>) -> bool {
        let full = join(&self.pool.place.root, &path);
        let result = self.insist(|connection| connection.list_with_details(&full));
        let is_too_many = is_too_many(&result);
        match is_too_many {
            true => self.pool.list_next(path),
            false => self.pool.note_listed(path, result),
        }
        is_too_many
    }

    fn read(&mut self, reading: &Arc<Reading>, has_more: bool) -> bool {
        let full = join(&self.pool.place.root, reading.path());
        if let Some(wait) = reading.modified().and_then(|at| is_fresh_for(at, Timestamp::now())) {
            self.rest(wait);
        }
        let mut result = self.insist(|connection| {
            let read = reading.read(connection, &full, has_more);
            read.map_err(|fault| explain(connection, &full, fault))
        });
        if matches!(&result, Err(fault) if fault.class == Class::Grown) {
            let listed_bytes = reading.listed_bytes();
            result = self.insist(|connection| has_grown(connection, &full, listed_bytes));
        }
        let is_too_many = is_too_many(&result);
        self.pool.note_read(reading, result);
        is_too_many
    }

    fn compare(&mut self, batch: Vec<Doubt>) -> bool {
        let root = &self.pool.place.root;
        let paths: Vec<Vec<u8>> = batch.iter().map(|doubt| join(root, &doubt.path)).collect();
        let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let result = self.insist(|connection| connection.moments(&paths));
        let is_too_many = is_too_many(&result);
        self.pool.note_compared(batch, result);
        is_too_many
    }

    /// Do something until it is done, or there is no use in trying it again. A fault of
    /// [`Class::Capacity`] means that others go on with it, and this connection is one too many.
    fn insist<T>(
        &mut self,
        mut doing: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut tries = Tries { failed: 0, garbled: 0, pauses: Pauses::default() };
        loop {
            match self.with_connection(&mut doing) {
                Ok(done) => {
                    self.pool.note_well();
                    return Ok(done);
                }
                Err(fault) => self.bear(fault, &mut tries)?,
            }
            if self.pool.is_ending() {
                return Err(ended());
            }
        }
    }

    /// Do what is to be done about a fault before the next try; the fault where there is none.
    fn bear(&mut self, fault: Fault, tries: &mut Tries) -> Result<(), Fault> {
        if fault.ends_connection() {
            self.connection = None;
        }
        match fault.class {
            Class::Denied
            | Class::Vanished
            | Class::Grown
            | Class::Changed
            | Class::Interrupted
            | Class::Cancelled => Err(fault),
            Class::Security | Class::Configuration => Err(self.stop(fault)),
            Class::Garbled => {
                tries.garbled += 1;
                match tries.garbled < MOST_ATTEMPTS {
                    true => Ok(()),
                    false => Err(self.stop(Fault { class: Class::Security, ..fault })),
                }
            }
            Class::Transient | Class::Integrity | Class::Stale => tries.again(fault),
            // One file may hang. Where everything does, the server is away.
            Class::Silent if self.is_patient() => tries.again(fault),
            Class::Capacity if self.pool.shrink() => Err(fault),
            Class::Capacity | Class::Unreachable if self.is_patient() => {
                self.rest(tries.pauses.next());
                Ok(())
            }
            Class::Silent | Class::Capacity | Class::Unreachable => {
                Err(self.stop(fault.after(self.pool.place.limits.patience)))
            }
        }
    }

    /// End everything.
    fn stop(&self, fault: Fault) -> Fault {
        self.pool.fail(&fault);
        fault
    }

    /// Whether the server may stay away for longer.
    fn is_patient(&self) -> bool {
        self.pool.away_for() <= self.pool.place.limits.patience
    }

    fn with_connection<T>(
        &mut self,
        doing: &mut impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let pool = &self.pool;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => {
                let place = &pool.place;
                let opened =
                    Connection::open(&place.server, place.address, &place.limits, &pool.control);
                empty.insert(opened.map_err(while_opening)?)
            }
        };
        if pool.mixes_up.load(Relaxed) {
            connection.ask_no_more_ahead();
        }
        let result = doing(connection);
        pool.mixes_up.fetch_or(!connection.asks_ahead(), Relaxed);
        pool.lists_together.fetch_or(connection.lists_together(), Relaxed);
        result
    }

    fn rest(&self, pause: Duration) {
        rest(pause, || self.pool.is_ending());
    }
}

impl Tries {
    /// Try again, unless that was done often enough.
    fn again(&mut self, fault: Fault) -> Result<(), Fault> {
        self.failed += 1;
        if self.failed < MOST_ATTEMPTS { Ok(()) } else { Err(fault) }
    }
}

/// What a fault means where a connection is opened to a server that let us in before.
fn while_opening(fault: Fault) -> Fault {
    let class = match fault.class {
        // Some say so of one connection too many.
        Class::Configuration => Class::Capacity,
        Class::Silent | Class::Stale | Class::Transient | Class::Denied | Class::Integrity => {
            Class::Unreachable
        }
        class => class,
    };
    Fault { class, ..fault }
}

fn is_too_many<T>(result: &Result<T, Fault>) -> bool {
    matches!(result, Err(fault) if fault.class == Class::Capacity)
}
