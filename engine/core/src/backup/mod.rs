//! A backup: read the source, judge what was seen, commit the snapshot, prove it on cold.
//!
//! The archiver of `rustic_core` logs what it could not read and goes on; the truth about a run
//! is the source's ledger. So its snapshot is held back until [`judge`] has seen the ledger.

mod judge;
mod parents;
mod proof;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use jiff::{Timestamp, tz::TimeZone};
use rustic_core::{
    BackupOptions as RusticOptions, IndexedIdsStatus, Repository as RusticRepository,
    SnapshotOptions, StringList, repofile::SnapshotFile,
};

use self::{judge::Verdict, parents::Parents};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::seal::Seal,
    issue::Collected,
    object::{Object, ObjectId},
    process,
    repository::Repository,
    rustic::{
        backend::{Backend, Parts},
        errors::from_rustic,
        open::open_for_backup,
    },
    source::{
        directory::{DirectoryOptions, DirectorySource},
        tracked::{Ledger, Tracked},
    },
};

/// What a run is given.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// The folder to store.
    pub source: PathBuf,
    /// The run's id; it becomes the snapshot's command.
    pub run_id: String,
    /// When the run started, in seconds since 1970, UTC; the snapshot's time.
    pub started_at_seconds: i64,
    /// Globs relative to the source, as in gitignore.
    pub exclude: Vec<String>,
    /// Folders of our own that are left out where they lie inside the source.
    pub own_folders: Vec<PathBuf>,
    /// Stay on the source's file system.
    pub one_file_system: bool,
    /// How much less than the last complete snapshot the source may hold; None for any.
    pub max_shrink_percent: Option<u32>,
}

/// A snapshot that is in cold.
#[derive(Debug, Clone)]
pub struct BackupSummary {
    /// The snapshot's id.
    pub snapshot_id: ObjectId,
    /// `incomplete`, `partial`, both or none.
    pub tags: Vec<String>,
    /// What was not stored as it is.
    pub issues: Collected,
    /// Everything in the snapshot that is not a folder.
    pub files_total: u64,
    /// Files that no parent had.
    pub files_new: u64,
    /// Files that differ from the parent's.
    pub files_changed: u64,
    /// Files that were not read because nothing about them changed.
    pub files_unchanged: u64,
    /// Bytes of all files in the snapshot.
    pub bytes_total: u64,
    /// Bytes read from the source.
    pub bytes_read: u64,
    /// Bytes added to cold.
    pub bytes_added: u64,
}

impl Repository {
    /// Store a folder as a new snapshot and prove that it is in cold.
    pub fn backup(&self, options: &BackupOptions, control: &Arc<Control>) -> Result<BackupSummary> {
        process::check()?;
        let ledger = Arc::new(Ledger::default());
        let source = self.open_source(options, control)?;
        let backend = Arc::new(self.backend(control)?);
        let parents = Parents::choose(&self.reader(), options.started_at_seconds, &self.issues)?;
        let rustic = open_for_backup(backend.clone(), &self.key, control.clone())
            .map_err(|error| backend.take_failure().unwrap_or(error))?;
        control.check()?;

        let root = RootIdentity::of(&options.source);
        announce_total(&source, &parents, control);
        let tracked = Tracked::new(source, self.birth(), ledger.clone(), control.clone());
        let snapshot = self.archive(&rustic, &tracked, &parents, options);
        // The first failed write explains all that came after it.
        if let Some(failure) = backend.take_failure() {
            return Err(failure);
        }
        let snapshot = snapshot?;
        let verdict = Verdict {
            snapshot: &snapshot,
            ledger: &ledger,
            last_complete: parents.last_complete(),
            max_shrink_percent: options.max_shrink_percent,
            is_cancelled: control.is_cancelled(),
            is_source_lost: root != RootIdentity::of(&options.source),
        };
        let tags = verdict.judge()?;
        self.commit(&rustic, &backend, snapshot, tags, &ledger)
    }

    fn open_source(
        &self,
        options: &BackupOptions,
        control: &Arc<Control>,
    ) -> Result<DirectorySource> {
        let directory = DirectoryOptions {
            exclude: options.exclude.clone(),
            own_folders: options.own_folders.clone(),
            one_file_system: options.one_file_system,
        };
        let name = self.birth().resource();
        DirectorySource::open(&options.source, name, &directory, control.clone())
    }

    fn backend(&self, control: &Arc<Control>) -> Result<Backend> {
        let append = self.append.clone().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "a backup needs a repository opened to append")
        })?;
        Ok(Backend::new(Parts {
            tiered: self.tiered.clone(),
            append,
            seal: Seal::new(&self.key),
            config: self.config.clone(),
            issues: self.issues.clone(),
            control: control.clone(),
        }))
    }

    fn archive(
        &self,
        rustic: &RusticRepository<IndexedIdsStatus>,
        source: &Tracked<DirectorySource>,
        parents: &Parents,
        options: &BackupOptions,
    ) -> Result<SnapshotFile> {
        let mut rustic_options = RusticOptions::default();
        rustic_options.no_scan = true;
        rustic_options.parent_opts.parents = parents.ids();
        rustic_options.parent_opts.force = parents.ids().is_empty();
        let path = PathBuf::from(self.birth().snapshot_path());
        new_snapshot(self.birth().customer(), self.birth().resource(), options).and_then(|new| {
            rustic
                .archive(&rustic_options, source, new, &[path])
                .map_err(|error| from_rustic("cannot store the source", &error))
        })
    }

    /// Prove what the snapshot needs, then write it, then prove it too: a snapshot that lacks
    /// something never comes to be, and what is called stored was seen in cold.
    fn commit(
        &self,
        rustic: &RusticRepository<IndexedIdsStatus>,
        backend: &Backend,
        mut snapshot: SnapshotFile,
        tags: Vec<String>,
        ledger: &Ledger,
    ) -> Result<BackupSummary> {
        let cold = self.tiered.cold().as_ref();
        proof::prove_content(cold, &backend.written())?;
        let mut list = StringList::default();
        tags.iter().for_each(|tag| list.add(tag.clone()));
        snapshot.add_tags(vec![list]);
        backend.release_snapshots();
        let saved = rustic.save_snapshots(vec![snapshot.clone()]);
        if let Some(failure) = backend.take_failure() {
            return Err(failure);
        }
        saved.map_err(|error| from_rustic("cannot save the snapshot", &error))?;
        let written = backend.written();
        let snapshot_id = proof::prove_snapshot(cold, &written)?;
        Ok(summarise(snapshot_id, &snapshot, tags, &written, &self.all_issues(ledger), ledger))
    }

    /// What the source told, then what the repository told.
    fn all_issues(&self, ledger: &Ledger) -> Collected {
        for issue in self.issues.collected().kept {
            ledger.issues.push(issue);
        }
        ledger.issues.collected()
    }
}

/// How much there is to do: as much as last time, or, the first time, what a look shows.
fn announce_total(source: &DirectorySource, parents: &Parents, control: &Control) {
    if let Some(last) = parents.last_complete() {
        control.set_total(last.bytes_total.unwrap_or(0), 0);
    } else {
        let scan = source.scan();
        std::thread::spawn(move || scan.run());
    }
}

fn new_snapshot(customer: &str, resource: &str, options: &BackupOptions) -> Result<SnapshotFile> {
    let time = Timestamp::from_second(options.started_at_seconds).map_err(|error| {
        Error::caused_by(ErrorKind::InvalidInput, "the run's start is no point in time", error)
    })?;
    let mut new = SnapshotOptions::default();
    new.host = Some(customer.to_owned());
    new.label = Some(resource.to_owned());
    new.time = Some(time.to_zoned(TimeZone::UTC));
    new.command = Some(options.run_id.clone());
    let mut snapshot =
        new.to_snapshot().map_err(|error| from_rustic("cannot make a snapshot", &error))?;
    snapshot.program_version = format!("unstoppable {}", env!("CARGO_PKG_VERSION"));
    Ok(snapshot)
}

fn summarise(
    snapshot_id: ObjectId,
    snapshot: &SnapshotFile,
    tags: Vec<String>,
    written: &[(Object, u64)],
    issues: &Collected,
    ledger: &Ledger,
) -> BackupSummary {
    let counts = snapshot.summary.clone().unwrap_or_default();
    BackupSummary {
        snapshot_id,
        tags,
        issues: issues.clone(),
        files_total: counts.total_files_processed,
        files_new: counts.files_new,
        files_changed: counts.files_changed,
        files_unchanged: counts.files_unmodified,
        bytes_total: counts.total_bytes_processed,
        bytes_read: ledger.bytes_read.load(Relaxed),
        bytes_added: written.iter().map(|(_, size)| size).sum(),
    }
}

/// Device and inode of the source's folder; another one, or none, means the source was lost.
#[derive(Debug, PartialEq, Eq)]
struct RootIdentity(Option<(u64, u64)>);

impl RootIdentity {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino())))
    }
}
