//! Folders, and file systems mounted in the source, that go away while it is read.

use std::{
    collections::HashSet,
    fs,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustic_core::ReadSource;
use unstoppable_engine_core::{
    issue::IssueKind,
    source::{
        beneath::Root,
        walk::{Rules, walk},
    },
};

use super::{
    mount::Mount,
    site::{Site, issue, read_all},
};

/// A walk during which `act` happens as soon as `below` was found.
fn walk_and(site: &Site, exclude: Gitignore, below: &str, act: impl Fn()) {
    let rules = Rules {
        exclude,
        own_folders: HashSet::new(),
        own_paths: HashSet::new(),
        one_file_system: false,
    };
    let root = Arc::new(Root::open(site.folder.path()).unwrap());
    walk(&root, &rules, &mut |found| {
        match found {
            Ok(found) if found.path == Path::new(below) => act(),
            Ok(_) => {}
            Err(issue) => site.ledger.issues.push(issue),
        }
        ControlFlow::Continue(())
    });
}

#[test]
fn files_of_a_file_system_that_is_lost_before_they_are_read_are_a_problem() {
    let site = Site::new(&["beside"]);
    let mount = Mount::at(&site.path("mount"));
    let paths = ["mount/file", "mount/folder/file"];
    paths.iter().for_each(|path| site.write(path, b"alice"));
    let handles = paths.map(|path| site.handle(path));

    drop(mount);

    for handle in handles {
        read_all(handle).unwrap_err();
    }
    assert_eq!(site.issues(), paths.map(|path| issue(IssueKind::Listing, path)));
    assert_eq!(site.ledger.issues.collected().problem_count, 2);
    assert_eq!(site.left_out(), 2);
}

#[test]
fn all_files_of_a_folder_that_is_moved_away_before_they_are_read_are_a_problem() {
    const FILES: u64 = 3_000;
    let site = Site::new(&[]);
    for number in 0..FILES {
        site.write(&format!("folder/{number}"), b"alice");
    }
    let handles: Vec<_> = site.list().into_iter().filter_map(|entry| entry.open).collect();

    fs::rename(site.path("folder"), site.path("aside")).unwrap();
    site.write("folder/", b"");

    for handle in handles {
        read_all(handle).unwrap_err();
    }
    assert!(site.issues().iter().all(|(kind, _)| *kind == IssueKind::Listing));
    assert_eq!(site.ledger.issues.collected().problem_count, FILES);
}

#[test]
fn a_folder_that_is_moved_away_while_it_is_listed_is_never_only_a_note() {
    const FILES: u64 = 20_000;
    let site = Site::new(&[]);
    site.write("folder/", b"");
    for number in 0..FILES {
        fs::write(site.path(format!("folder/{number}")), b"").unwrap();
    }
    let source = site.open();
    let mut entries = source.entries();
    let handle = entries.find_map(|entry| entry.unwrap().open).unwrap();

    // The listing waits for its reader, so that it is in the middle of the folder.
    fs::rename(site.path("folder"), site.path("aside")).unwrap();

    read_all(handle).unwrap_err();
    let handles: Vec<_> = entries.filter_map(|entry| entry.unwrap().open).collect();
    handles.into_iter().for_each(|handle| drop(read_all(handle).unwrap_err()));
    assert!(site.issues().iter().all(|(kind, _)| *kind == IssueKind::Listing));
    assert_eq!(site.ledger.issues.collected().problem_count, FILES);
    assert_eq!(site.ledger.files_emitted.load(Relaxed), FILES);
}

#[test]
fn a_folder_that_goes_away_before_it_is_entered_is_a_problem() {
    let site = Site::new(&["folder/file"]);

    walk_and(&site, Gitignore::empty(), "folder", || {
        fs::remove_dir_all(site.path("folder")).unwrap();
    });

    assert_eq!(site.only_issue(), issue(IssueKind::Listing, "folder"));
}

#[test]
fn a_folder_that_goes_away_before_it_is_looked_at_is_a_problem_and_a_file_a_note() {
    let site = Site::new(&["a", "b/file", "c"]);

    walk_and(&site, Gitignore::empty(), "a", || {
        fs::remove_dir_all(site.path("b")).unwrap();
        fs::remove_file(site.path("c")).unwrap();
    });

    assert_eq!(site.issues(), [issue(IssueKind::Listing, "b"), issue(IssueKind::Vanished, "c")]);
}

#[test]
fn a_folder_that_goes_away_between_its_entries_is_one_problem() {
    let site = Site::new(&["folder/a", "folder/b", "folder/c", "other"]);

    walk_and(&site, Gitignore::empty(), "folder/a", || {
        fs::remove_dir_all(site.path("folder")).unwrap();
    });

    assert_eq!(site.only_issue(), issue(IssueKind::Listing, "folder"));
}

#[test]
fn a_folder_that_goes_away_while_the_walk_is_far_below_is_a_problem() {
    let deep = "d/".repeat(100) + "file";
    let site = Site::new(&[&deep, "d/later"]);

    walk_and(&site, Gitignore::empty(), &deep, || {
        fs::remove_dir_all(site.path("d")).unwrap();
    });

    assert_eq!(site.only_issue(), issue(IssueKind::Listing, "d"));
}

#[test]
fn a_file_system_that_is_lost_before_it_is_entered_is_a_problem() {
    let site = Site::new(&[]);
    let mount = std::cell::RefCell::new(Some(Mount::at(&site.path("mount"))));
    site.write("mount/file", b"alice");

    walk_and(&site, Gitignore::empty(), "mount", || drop(mount.take()));

    assert_eq!(site.only_issue(), issue(IssueKind::Listing, "mount"));
}

#[test]
fn what_is_left_out_anyway_may_go_away() {
    let site = Site::new(&["a", "cache/file", "z.tmp"]);
    let mut exclude = GitignoreBuilder::new("");
    for glob in ["cache/", "*.tmp"] {
        exclude.add_line(None, glob).unwrap();
    }

    walk_and(&site, exclude.build().unwrap(), "a", || {
        fs::remove_dir_all(site.path("cache")).unwrap();
        fs::remove_file(site.path("z.tmp")).unwrap();
    });

    assert!(site.issues().is_empty());
}
