//! One pass over the source: archive, judge, commit, prove.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use rustic_core::{
    BackupOptions as RusticOptions, IndexedIdsStatus, Repository as RusticRepository,
    SnapshotOptions, StringList, repofile::SnapshotFile,
};

use super::{BackupOptions, BackupSummary, judge::Verdict, parents::Parents, proof};
use crate::{
    control::Control,
    error::{Error, ErrorKind, Result},
    format::seal::Seal,
    issue::Collected,
    known::Known,
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

/// What all attempts of a run share.
pub struct Run<'a> {
    pub repository: &'a Repository,
    pub options: &'a BackupOptions,
    pub control: &'a Arc<Control>,
    pub known: Arc<Known>,
    pub parents: Parents,
}

impl Run<'_> {
    /// Read the source, taking what did not change from the snapshots `parents`, and store it.
    pub fn attempt(&self, parents: Vec<String>) -> Result<BackupSummary> {
        let (options, control) = (self.options, self.control);
        let ledger = Arc::new(Ledger::default());
        let source = self.open_source()?;
        let backend = Arc::new(self.backend(ledger.clone())?);
        let rustic = open_for_backup(backend.clone(), &self.repository.key, control.clone())
            .map_err(|error| backend.take_failure().unwrap_or(error))?;
        control.check()?;

        let root = RootIdentity::of(&options.source);
        announce_total(&source, &self.parents, control);
        let birth = self.repository.birth();
        let tracked = Tracked::new(source, birth, ledger.clone(), control.clone());
        let snapshot = self.archive(&rustic, &tracked, parents);
        // The first failed write explains all that came after it.
        if let Some(failure) = backend.take_failure() {
            return Err(failure);
        }
        let snapshot = snapshot?;
        let verdict = Verdict {
            snapshot: &snapshot,
            ledger: &ledger,
            last_complete: self.parents.last_complete(),
            max_shrink_percent: options.max_shrink_percent,
            is_cancelled: control.is_cancelled(),
            is_source_lost: root != RootIdentity::of(&options.source),
        };
        let tags = verdict.judge()?;
        self.commit(&rustic, &backend, snapshot, tags, &ledger)
    }

    fn open_source(&self) -> Result<DirectorySource> {
        let options = self.options;
        let directory = DirectoryOptions {
            exclude: options.exclude.clone(),
            own_folders: options.own_folders.clone(),
            one_file_system: options.one_file_system,
        };
        let name = self.repository.birth().resource();
        DirectorySource::open(&options.source, name, &directory, self.control.clone())
    }

    fn backend(&self, ledger: Arc<Ledger>) -> Result<Backend> {
        let repository = self.repository;
        let append = repository.append.clone().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "a backup needs a repository opened to append")
        })?;
        Ok(Backend::new(Parts {
            tiered: repository.tiered.clone(),
            append,
            seal: Seal::new(&repository.key),
            config: repository.config.clone(),
            known: self.known.clone(),
            issues: repository.issues.clone(),
            ledger,
            control: self.control.clone(),
        }))
    }

    fn archive(
        &self,
        rustic: &RusticRepository<IndexedIdsStatus>,
        source: &Tracked<DirectorySource>,
        parents: Vec<String>,
    ) -> Result<SnapshotFile> {
        let mut rustic_options = RusticOptions::default();
        rustic_options.no_scan = true;
        rustic_options.parent_opts.force = parents.is_empty();
        rustic_options.parent_opts.parents = parents;
        let birth = self.repository.birth();
        let path = PathBuf::from(birth.snapshot_path());
        let new = new_snapshot(birth.customer(), birth.resource(), self.options)?;
        // Its threads panic where whoever holds the key made a repository that it does not expect.
        catch_unwind(AssertUnwindSafe(|| rustic.archive(&rustic_options, source, new, &[path])))
            .map_err(|panic| panicked(panic.as_ref()))?
            .map_err(|error| from_rustic("cannot store the source", &error))
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
        let cold = self.repository.tiered.cold().as_ref();
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
        Ok(super::summarise(
            snapshot_id,
            &snapshot,
            tags,
            &written,
            &self.all_issues(ledger),
            ledger,
        ))
    }

    /// What the source told, then what the repository told.
    fn all_issues(&self, ledger: &Ledger) -> Collected {
        for issue in self.repository.issues.collected().kept {
            ledger.issues.push(issue);
        }
        ledger.issues.collected()
    }
}

/// What a panic said; that of a thread was told in the thread.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::new(ErrorKind::Internal, format!("the archiver panicked: {text}"))
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

/// Device and inode of the source's folder; another one, or none, means the source was lost.
#[derive(Debug, PartialEq, Eq)]
struct RootIdentity(Option<(u64, u64)>);

impl RootIdentity {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino())))
    }
}
