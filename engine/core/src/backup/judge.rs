//! What a run that has read its source may call itself.

use std::sync::atomic::Ordering::Relaxed;

use rustic_core::repofile::SnapshotFile;

use crate::{
    error::{Error, ErrorKind, Result},
    format::snapshot::{INCOMPLETE, PARTIAL, Snapshot},
    issue::IssueKind,
    source::tracked::Ledger,
};

/// Everything the judgement rests on.
pub struct Verdict<'run> {
    pub snapshot: &'run SnapshotFile,
    pub ledger: &'run Ledger,
    pub last_complete: Option<&'run Snapshot>,
    pub max_shrink_percent: Option<u32>,
    pub is_cancelled: bool,
    /// Why the rest of the source could not be read.
    pub lost: Option<String>,
}

impl Verdict<'_> {
    /// The snapshot's tags; adds to the ledger what only the whole run shows.
    /// Fails where there is nothing worth a snapshot.
    pub fn judge(&self) -> Result<Vec<String>> {
        let is_incomplete = self.is_cancelled || self.lost.is_some();
        if is_incomplete && self.files_stored() == 0 {
            return Err(self.nothing_stored());
        }
        if let Some(lost) = &self.lost {
            self.note(IssueKind::Listing, lost.as_str());
        }
        self.compare_counts();
        if !is_incomplete {
            self.notice_empty();
            self.notice_shrinking();
        }
        let is_partial = self.ledger.issues.collected().problem_count > 0;
        Ok([(is_incomplete, INCOMPLETE), (is_partial, PARTIAL)]
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, tag)| tag.to_owned())
            .collect())
    }

    fn nothing_stored(&self) -> Error {
        if self.is_cancelled {
            return Error::new(ErrorKind::Cancelled, "cancelled before anything was stored");
        }
        let lost = self.lost.as_deref().unwrap_or_default();
        Error::new(ErrorKind::SourceUnavailable, format!("nothing was stored: {lost}"))
    }

    fn note(&self, kind: IssueKind, message: impl Into<String>) {
        self.ledger.issues.add(kind, "", message);
    }

    fn files_stored(&self) -> u64 {
        self.snapshot.summary.as_ref().map_or(0, |summary| summary.total_files_processed)
    }

    fn bytes_stored(&self) -> u64 {
        self.snapshot.summary.as_ref().map_or(0, |summary| summary.total_bytes_processed)
    }

    /// The archiver only logs what it drops: what went in must have come out.
    fn compare_counts(&self) {
        let emitted = self.ledger.files_emitted.load(Relaxed);
        let expected = emitted.saturating_sub(self.ledger.files_left_out.load(Relaxed));
        let stored = self.files_stored();
        if stored != expected {
            let message = format!("{expected} files were read but {stored} stored");
            self.note(IssueKind::Unreadable, message);
        }
    }

    fn notice_empty(&self) {
        if self.ledger.entries_below_root.load(Relaxed) == 0 {
            self.note(IssueKind::EmptySource, "the source holds nothing at all");
        }
    }

    fn notice_shrinking(&self) {
        let (Some(limit), Some(before)) = (self.max_shrink_percent, self.last_complete) else {
            return;
        };
        let sizes = [
            ("files", before.files_total, self.files_stored()),
            ("bytes", before.bytes_total, self.bytes_stored()),
        ];
        for (what, before, now) in sizes {
            let Some(before) = before else { continue };
            if shrank_by_more(before, now, limit) {
                let message = format!(
                    "{now} {what}, {before} in the last complete snapshot: shrank by more than {limit} %"
                );
                self.note(IssueKind::SourceShrank, message);
            }
        }
    }
}

fn shrank_by_more(before: u64, now: u64, limit_percent: u32) -> bool {
    let lost = u128::from(before.saturating_sub(now));
    lost * 100 > u128::from(before) * u128::from(limit_percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tags and issues of a run that gave the archiver three files, and left out one.
    fn judged(files_stored: u64) -> (Vec<String>, Vec<IssueKind>) {
        let ledger = Ledger::default();
        ledger.files_emitted.store(3, Relaxed);
        ledger.files_left_out.store(1, Relaxed);
        ledger.entries_below_root.store(3, Relaxed);
        let mut snapshot = SnapshotFile::default();
        snapshot.summary.get_or_insert_default().total_files_processed = files_stored;
        let verdict = Verdict {
            snapshot: &snapshot,
            ledger: &ledger,
            last_complete: None,
            max_shrink_percent: None,
            is_cancelled: false,
            lost: None,
        };
        let tags = verdict.judge().unwrap();
        let issues = ledger.issues.collected().kept;
        (tags, issues.iter().map(|issue| issue.kind).collect())
    }

    #[test]
    fn a_file_that_the_archiver_lost_without_a_word_makes_the_run_partial() {
        assert_eq!(judged(2), (vec![], vec![]));
        for lost in [1, 3] {
            assert_eq!(judged(lost), (vec![PARTIAL.to_owned()], vec![IssueKind::Unreadable]));
        }
    }

    #[test]
    fn shrinking_is_measured_against_what_was_there() {
        assert!(!shrank_by_more(100, 50, 50), "half is within half");
        assert!(shrank_by_more(100, 49, 50));
        assert!(!shrank_by_more(100, 200, 50), "growing is no shrinking");
        assert!(!shrank_by_more(0, 0, 0), "nothing cannot shrink");
        assert!(shrank_by_more(u64::MAX, 0, 99));
        assert!(!shrank_by_more(u64::MAX, 0, 100));
    }
}
