//! Files that were read, until it is known that they did not change meanwhile.

use std::sync::Arc;

use super::{path_of, reading::Reading};
use crate::{
    ftps::{Class, Fault, moment::Moment},
    issue::{Issue, IssueKind},
};

/// How many are asked for together …
const BATCH: usize = 64;
/// … but after a file that takes a while nobody waits for others: what is written to it later is
/// no change while it was read.
const LONG_BYTES: u64 = 1024 * 1024;

/// A file that was read, with the time that was listed before.
pub struct Doubt {
    /// Relative to the source.
    pub path: Vec<u8>,
    /// As it was listed.
    pub modified: Moment,
}

/// All files in doubt.
#[derive(Default)]
pub struct Doubts {
    open: Vec<Doubt>,
    /// Of which somebody asks the server right now.
    asked: usize,
    has_long: bool,
    issues: Vec<Issue>,
}

impl Doubts {
    /// A file was read. One whose time nobody told can be compared with nothing.
    pub fn add(&mut self, reading: &Arc<Reading>) {
        if let Some(modified) = reading.modified() {
            self.open.push(Doubt { path: reading.path().to_vec(), modified });
            self.has_long |= reading.listed_bytes() >= LONG_BYTES;
        }
    }

    /// Those to ask for now, if it is time; `next` is what would be read instead.
    pub fn due(&mut self, next: Option<&Arc<Reading>>) -> Option<Vec<Doubt>> {
        let is_long = next.is_none_or(|next| next.listed_bytes() >= LONG_BYTES);
        let is_due = self.has_long || is_long || self.open.len() >= BATCH;
        if !is_due || self.open.is_empty() {
            return None;
        }
        self.has_long = false;
        let batch: Vec<Doubt> = self.open.drain(..self.open.len().min(BATCH)).collect();
        self.asked += batch.len();
        Some(batch)
    }

    /// What the server said of a batch, each time in its place; None of what is gone.
    pub fn answer(&mut self, batch: Vec<Doubt>, result: Result<Vec<Option<Moment>>, Fault>) {
        self.asked -= batch.len();
        match result {
            Ok(times) => {
                let changed = batch
                    .iter()
                    .zip(times)
                    .filter(|(doubt, time)| time.is_some_and(|time| time != doubt.modified));
                let message = "it changed while it was read";
                self.issues.extend(changed.map(|(doubt, _)| issue(doubt, message)));
            }
            // Another connection asks.
            Err(fault) if fault.class == Class::Capacity => self.open.extend(batch),
            Err(fault) if fault.class == Class::Cancelled => {}
            Err(fault) => {
                let message =
                    format!("whether it changed while it was read is not known: {}", fault.message);
                self.issues.extend(batch.iter().map(|doubt| issue(doubt, &message)));
            }
        }
    }

    /// Whether nobody asks any more.
    pub fn are_settled(&self) -> bool {
        self.open.is_empty() && self.asked == 0
    }

    /// What came of it.
    pub fn take_issues(&mut self) -> Vec<Issue> {
        std::mem::take(&mut self.issues)
    }
}

fn issue(doubt: &Doubt, message: &str) -> Issue {
    Issue::new(IssueKind::Rewritten, path_of(&doubt.path), message)
}
