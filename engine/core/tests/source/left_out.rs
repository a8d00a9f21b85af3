//! What is left out, and which sources are refused.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    process::Command,
};

use rustic_core::ReadSource;
use unstoppable_engine_core::{
    error::ErrorKind,
    issue::IssueKind,
    source::{directory::DirectorySource, tracked::Tracked},
};

use super::site::{Site, issue};

#[test]
fn patterns_leave_out_entries_and_what_lies_below_them() {
    let mut site = Site::new(&["x/a", "y/x", "a.tmp", "y/b.tmp", "cache/c/d", "keep.tmp"]);
    let patterns = ["/x", "*.tmp", "cache/**", "!keep.tmp"];
    site.options.exclude = patterns.map(str::to_owned).to_vec();

    assert_eq!(site.listed(), ["cache", "keep.tmp", "y", "y/x"]);
    assert!(site.issues().is_empty());
    assert_eq!(site.scan(), (11, 5));
}

#[test]
fn our_own_folders_are_left_out_and_it_is_said() {
    let mut site = Site::new(&["hot/x", "data/cold/y", "data/z"]);
    let detour = site.path("data/../data/cold");
    site.options.own_folders = vec![site.path("hot"), detour, site.path("data/later")];
    let source = site.open();
    site.write("data/later/created", b"after the run has started");

    let entries: Vec<_> = source.entries().map(Result::unwrap).collect();

    assert_eq!(entries.last().unwrap().path, Path::new("/acme/www/data/z"));
    assert_eq!(entries.len(), 4);
    let own = ["data/cold", "data/later", "hot"].map(|path| issue(IssueKind::OwnFiles, path));
    assert_eq!(site.issues(), own);
}

#[test]
fn a_source_inside_an_own_folder_is_refused() {
    for own in ["", ".."] {
        let mut site = Site::new(&["a"]);
        site.options.own_folders = vec![site.path(own)];

        let refused = site.try_open().err().unwrap();

        assert_eq!(refused.kind(), ErrorKind::SourceUnavailable);
        assert!(refused.to_string().contains("lies in our own folder"));
    }
}

#[test]
fn a_source_that_is_no_folder_is_unavailable() {
    let site = Site::new(&["file"]);

    for (name, says) in [("missing", "is missing"), ("file", "is not a folder")] {
        let path = site.path(name);
        let error = site.try_open_at(&path).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::SourceUnavailable);
        assert!(error.to_string().ends_with(says), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused() {
    let mut site = Site::new(&[]);
    site.options.exclude = vec!["{a".to_owned()];

    let error = site.try_open().err().unwrap();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("{a"), "{error}");
}

#[test]
fn a_source_may_be_a_link_to_a_folder() {
    let site = Site::new(&["releases/42/index"]);
    symlink("releases/42", site.path("current")).unwrap();

    let source = site.track(site.try_open_at(&site.path("current")).unwrap());

    assert_eq!(below_root(&source), ["/acme/www/index"]);
}

/// What is listed of this machine's own root when all but `kept` is left out.
fn list_machine(kept: &[&str], one_file_system: bool) -> (Vec<String>, usize) {
    let mut site = Site::new(&[]);
    site.options.exclude = ["/*"].iter().chain(kept).map(|glob| (*glob).to_owned()).collect();
    site.options.one_file_system = one_file_system;
    let source = site.track(site.try_open_at(Path::new("/")).unwrap());
    (below_root(&source), site.issues().len())
}

fn below_root(source: &Tracked<DirectorySource>) -> Vec<String> {
    let paths = source.entries().map(|entry| entry.unwrap().path);
    paths.skip(2).map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn file_systems_of_the_kernel_are_not_walked_through() {
    let (paths, issue_count) = list_machine(&["!/proc", "!/sys"], false);

    assert_eq!(paths, ["/acme/www/proc", "/acme/www/sys"]);
    assert_eq!(issue_count, 0);
}

#[test]
fn mounted_file_systems_are_crossed_unless_one_is_asked_for() {
    let device = |path: &str| fs::metadata(path).unwrap().dev();
    if device("/") == device("/dev") {
        eprintln!("skipped: nothing is mounted at /dev");
        return;
    }

    // Others use /dev/shm meanwhile, with names of any kind.
    let kept = ["!/dev", "/dev/shm", "/dev/pts"];

    assert_eq!(list_machine(&kept, true).0, ["/acme/www/dev"]);
    assert!(list_machine(&kept, false).0.len() > 1);
}

#[test]
fn a_folder_mounted_inside_itself_ends_the_walk_there() {
    let site = Site::new(&["folder/inside/", "folder/file"]);
    let [folder, inside] = ["folder", "folder/inside"].map(|path| site.path(path));
    let mut mount = Command::new("mount");
    let mounted = mount.arg("--bind").args([&folder, &inside]).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: bind mounts are not allowed here");
        return;
    }

    let listed = site.listed();

    let unmounted = Command::new("umount").arg(&inside).status().unwrap();
    assert!(unmounted.success());
    assert_eq!(listed, ["folder", "folder/file", "folder/inside"]);
    assert_eq!(site.only_issue(), issue(IssueKind::Listing, "folder/inside"));
}
