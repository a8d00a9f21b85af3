//! One pass over the source: archive, judge, commit, prove.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use jiff::{Timestamp, tz::TimeZone};
use rustic_core::{
    BackupOptions as RusticOptions, Id, IndexedIdsStatus, Repository as RusticRepository,
    SnapshotOptions, StringList, TreeId, repofile::SnapshotFile,
};

use super::{BackupOptions, BackupSummary, SourcePlace, judge::Verdict, parents::Parents, proof};
use crate::{
    control::Control,
    distrust::Distrust,
    error::{Error, ErrorKind, Result},
    format::{
        seal::Seal,
        snapshot::{INCOMPLETE, Snapshot},
    },
    issue::{Collected, IssueKind},
    known::Known,
    object::Object,
    repository::Repository,
    rustic::{
        backend::{Backend, Parts},
        errors::from_rustic,
        open::open_for_backup,
    },
    source::{
        Source,
        directory::{DirectoryOptions, DirectorySource},
        earlier::{Earlier, Root},
        ftps::FtpsSource,
        tracked::{Ledger, Tracked},
    },
    workers::{catching, lock},
};

const STILL_DAMAGED: &str =
    "a folder in the snapshot is damaged in cold, the next run stores it anew";

/// What all attempts of a run share.
pub struct Run<'a> {
    repository: &'a Repository,
    options: &'a BackupOptions,
    control: &'a Arc<Control>,
    known: Arc<Known>,
    distrust: Arc<Distrust>,
    parents: Parents,
    /// Of all attempts: the last one builds on what the others wrote.
    written: Arc<Mutex<Vec<(Object, u64)>>>,
}

impl<'a> Run<'a> {
    /// A run that has chosen the snapshots that it builds on.
    pub fn new(
        repository: &'a Repository,
        options: &'a BackupOptions,
        control: &'a Arc<Control>,
        known: Arc<Known>,
    ) -> Result<Self> {
        let (reader, issues) = (repository.reader(), &repository.issues);
        let parents = Parents::choose(&reader, options.started_at_seconds, &known, issues)?;
        let distrust = Arc::new(Distrust::new(known.clone(), issues.clone()));
        let written = Arc::default();
        Ok(Self { repository, options, control, known, distrust, parents, written })
    }

    /// Store the source as a snapshot. What did not change is taken from earlier snapshots where
    /// `builds_on_parents` says so. Where one shows damage, which `may_repeat` once, or makes the
    /// archiver fail, all is done again without it: what was written meanwhile is not lost.
    pub fn store(&self, builds_on_parents: bool, may_repeat: bool) -> Result<BackupSummary> {
        match self.attempt(builds_on_parents, may_repeat) {
            Ok(Some(summary)) => Ok(summary),
            Ok(None) => self.store(builds_on_parents, false),
            Err(error) if self.may_be_due_to_parents(builds_on_parents, &error) => {
                let message = format!("all files were read anew, because {}", error.chain());
                self.repository.issues.add(IssueKind::Damaged, "", message);
                self.store(false, false)
            }
            Err(error) => Err(error),
        }
    }

    /// The archiver itself failed: most likely at what an earlier snapshot holds.
    fn may_be_due_to_parents(&self, builds_on_parents: bool, error: &Error) -> bool {
        error.kind() == ErrorKind::Internal && builds_on_parents && !self.parents.is_empty()
    }

    /// One pass over the source. None when damage was met that the next pass can do without.
    fn attempt(&self, builds_on_parents: bool, may_repeat: bool) -> Result<Option<BackupSummary>> {
        self.control.start_over();
        let name = self.repository.birth().resource();
        let (exclude, control) = (&self.options.exclude, self.control.clone());
        match &self.options.source {
            SourcePlace::Directory(path) => {
                let source = DirectorySource::open(path, name, &self.directory(), control)?;
                self.read(source, builds_on_parents, may_repeat)
            }
            SourcePlace::Ftps(place) => {
                let source = FtpsSource::open(place, exclude, name, control)?;
                self.read(source, builds_on_parents, may_repeat)
            }
        }
    }

    /// One pass over a source that was opened.
    fn read<S: Source>(
        &self,
        source: S,
        builds_on_parents: bool,
        may_repeat: bool,
    ) -> Result<Option<BackupSummary>> {
        let control = self.control;
        let ledger = Arc::new(Ledger::default());
        let backend = Arc::new(self.backend(ledger.clone())?);
        let rustic = open_for_backup(backend.clone(), &self.repository.key, control.clone())
            .map_err(|error| backend.take_failure().unwrap_or(error))?;
        let rustic = Arc::new(rustic);
        control.check()?;
        // Damage seldom comes alone: the next pass looks at all trees before it begins.
        if may_repeat && self.distrust.holds_news() {
            return Ok(None);
        }
        let parents = match builds_on_parents {
            true => self.parents.usable(|tree| backend.lists_tree(tree), &self.distrust),
            false => Vec::new(),
        };

        announce_total(&source, &self.parents, control);
        let birth = self.repository.birth();
        let distrusted = self.distrust.count();
        let roots = parents.iter().map(|parent| root(parent)).collect();
        source.learn(Earlier::new(rustic.clone(), roots, birth.clone()));
        let tracked = Tracked::new(source, birth, ledger.clone(), control.clone());
        let parents = parents.iter().map(|parent| parent.id.to_hex()).collect();
        let snapshot = self.archive(&rustic, &tracked, parents);
        // The first failed write explains all that came after it.
        if let Some(failure) = backend.take_failure() {
            return Err(failure);
        }
        let snapshot = snapshot?;
        tracked.source().settle().into_iter().for_each(|issue| ledger.issues.push(issue));
        if self.distrust.count() > distrusted {
            if may_repeat && !control.is_cancelled() {
                return Ok(None);
            }
            ledger.issues.add(IssueKind::Damaged, "", STILL_DAMAGED);
        }
        let tags = self.judge(&snapshot, &ledger, tracked.source().lost())?;
        let summary = self.commit(&rustic, &backend, snapshot, tags, &ledger)?;
        if self.distrust.count() == distrusted && !summary.tags.iter().any(|tag| tag == INCOMPLETE)
        {
            self.distrust.settle();
        }
        Ok(Some(summary))
    }

    fn judge(
        &self,
        snapshot: &SnapshotFile,
        ledger: &Ledger,
        lost: Option<String>,
    ) -> Result<Vec<String>> {
        let verdict = Verdict {
            snapshot,
            ledger,
            last_complete: self.parents.last_complete(),
            max_shrink_percent: self.options.max_shrink_percent,
            is_cancelled: self.control.is_cancelled(),
            lost,
        };
        verdict.judge()
    }

    fn directory(&self) -> DirectoryOptions {
        let options = self.options;
        DirectoryOptions {
            exclude: options.exclude.clone(),
            own_folders: options.own_folders.clone(),
            one_file_system: options.one_file_system,
        }
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
            distrust: self.distrust.clone(),
            written: self.written.clone(),
            issues: repository.issues.clone(),
            ledger,
            control: self.control.clone(),
        }))
    }

    fn archive<S: Source>(
        &self,
        rustic: &RusticRepository<IndexedIdsStatus>,
        source: &Tracked<S>,
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
        catching(|| {
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
        let cold = self.repository.tiered.cold().as_ref();
        proof::prove_content(cold, &lock(&self.written))?;
        let mut list = StringList::default();
        tags.iter().for_each(|tag| list.add(tag.clone()));
        snapshot.add_tags(vec![list]);
        backend.release_snapshots();
        let saved = rustic.save_snapshots(vec![snapshot.clone()]);
        if let Some(failure) = backend.take_failure() {
            return Err(failure);
        }
        saved.map_err(|error| from_rustic("cannot save the snapshot", &error))?;
        let written = lock(&self.written);
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

/// How much there is to do: as much as last time, or, the first time, what a look shows.
fn announce_total(source: &impl Source, parents: &Parents, control: &Control) {
    if let Some(last) = parents.last_complete() {
        control.set_total(last.bytes_total.unwrap_or(0), 0);
    } else if let Some(scan) = source.scan() {
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

fn root(parent: &Snapshot) -> Root {
    Root {
        tree: TreeId::from(Id::new(parent.tree.0)),
        taken_at_seconds: parent.time_seconds,
        is_whole: !parent.is_incomplete(),
    }
}
