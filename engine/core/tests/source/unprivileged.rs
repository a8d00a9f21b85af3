//! What the user that runs the backup may not read.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use rustic_core::ReadSource;
use unstoppable_engine_core::{error::ErrorKind, issue::IssueKind};

use super::site::{Site, issue, read_all};

/// Where the helper, started anew as another user, finds its source.
const SOURCE: &str = "UNSTOPPABLE_TEST_SOURCE";
const NOBODY: u32 = 65_534;

/// Run the ignored test `helper` as a user without rights; as ourselves if we have none.
fn as_nobody(helper: &str, source: &Path) {
    // Our own program may lie where nobody else gets to, such as below /root.
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let program = folder.path().join("source");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(program);
    command.args(["--ignored", "--exact", "--nocapture", helper]);
    command.env(SOURCE, source).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_read_is_told_and_the_rest_is_stored() {
    let site = Site::new(&["closed/x", "file", "open/a", "unsearchable/y"]);
    set_mode(site.folder.path(), 0o755);
    set_mode(site.path("closed"), 0o000);
    set_mode(site.path("file"), 0o000);
    set_mode(site.path("unsearchable"), 0o744);

    as_nobody("unprivileged::reads_what_it_may", site.folder.path());

    // So that an unprivileged owner can remove them.
    set_mode(site.path("closed"), 0o755);
    set_mode(site.path("unsearchable"), 0o755);
}

#[test]
#[ignore = "a part of the test above, which runs it as another user"]
fn reads_what_it_may() {
    let site = Site::new(&[]);
    let root = env::var_os(SOURCE).unwrap();
    let source = site.track(site.try_open_at(Path::new(&root)).unwrap());

    let mut names = Vec::new();
    for entry in source.entries().map(Result::unwrap) {
        names.push(entry.node.name().into_owned());
        entry.open.map(read_all);
    }

    assert_eq!(names, ["acme", "www", "closed", "file", "open", "a", "unsearchable"]);
    let mut told = site.issues();
    told.sort_by(|one, other| one.1.cmp(&other.1));
    let expected = [
        issue(IssueKind::Listing, "closed"),
        issue(IssueKind::Unreadable, "file"),
        issue(IssueKind::Listing, "unsearchable"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_root_that_may_not_be_listed_or_searched_is_unavailable() {
    let site = Site::new(&["closed/x", "unsearchable/y"]);
    set_mode(site.folder.path(), 0o755);
    for (name, mode) in [("closed", 0o711), ("unsearchable", 0o744)] {
        set_mode(site.path(name), mode);
        as_nobody("unprivileged::is_refused", &site.path(name));
        set_mode(site.path(name), 0o755);
    }
}

#[test]
#[ignore = "a part of the test above, which runs it as another user"]
fn is_refused() {
    let root = env::var_os(SOURCE).unwrap();
    let refused = Site::new(&[]).try_open_at(Path::new(&root)).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::SourceUnavailable);
    assert!(refused.to_string().ends_with("cannot be opened"), "{refused}");
}
