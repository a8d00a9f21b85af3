//! Sources that fail or panic: the wrapper around every source.

use std::{
    ffi::OsStr,
    io::{self, Read},
    vec,
};

use rustic_core::{
    ReadSource, ReadSourceOpen,
    repofile::{Metadata, Node, NodeType},
};
use unstoppable_engine_core::{
    issue::{Issue, IssueKind},
    source::{Entry, Failure, Source, SourceFile, SourceReader},
};

use super::site::{Site, issue, read_all};

/// What mallory's source does with the file that bears its name.
#[derive(Debug, Clone, Copy)]
enum Trick {
    PanicWhileListing,
    FailWhileListing,
    PanicWhenOpened,
    FailWhenOpened,
    PanicWhenRead,
    FailWhenRead,
    PanicAtTheEnd,
    GiveLess,
    GiveMore,
}

struct Mallory(Vec<Trick>);

impl Source for Mallory {
    type File = Trick;
    type Entries = std::iter::Map<vec::IntoIter<Trick>, fn(Trick) -> Listed>;

    fn entries(&self) -> Self::Entries {
        self.0.clone().into_iter().map(list)
    }

    fn lost(&self) -> Option<String> {
        None
    }
}

type Listed = Result<Entry<Trick>, Issue>;

fn list(trick: Trick) -> Listed {
    match trick {
        Trick::PanicWhileListing => panic!("listing"),
        Trick::FailWhileListing => {
            Err(Issue::new(IssueKind::Listing, "folder", "426 connection closed"))
        }
        _ => {
            let name = format!("{trick:?}");
            let metadata = Metadata { size: 2, ..Metadata::default() };
            let node = Node::new_node(OsStr::new(&name), NodeType::File, metadata);
            Ok(Entry { path: name.into(), node, file: Some(trick) })
        }
    }
}

impl SourceFile for Trick {
    type Reader = TrickReader;

    fn open(self) -> Result<TrickReader, Failure> {
        let rest_bytes = match self {
            Self::PanicWhenOpened => panic!("opening"),
            Self::FailWhenOpened => {
                let refused = io::ErrorKind::PermissionDenied.into();
                return Err(Failure::of("open it", &refused));
            }
            Self::GiveLess => 1,
            Self::GiveMore => 3,
            _ => 2,
        };
        Ok(TrickReader { trick: self, rest_bytes })
    }
}

struct TrickReader {
    trick: Trick,
    rest_bytes: usize,
}

impl SourceReader for TrickReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.trick {
            Trick::PanicWhenRead => panic!("reading"),
            Trick::FailWhenRead => Err(io::Error::other("426 connection closed")),
            _ => {
                let count = buffer.len().min(self.rest_bytes);
                self.rest_bytes -= count;
                Ok(count)
            }
        }
    }

    fn change(&mut self) -> Option<Failure> {
        match self.trick {
            Trick::PanicAtTheEnd => panic!("at the end"),
            _ => None,
        }
    }
}

/// The one file of a source that plays `trick`, past the folder that is always there.
fn file(site: &Site, trick: Trick) -> impl ReadSourceOpen + use<> {
    let entry = site.track(Mallory(vec![trick])).entries().nth(1).unwrap();
    entry.unwrap().open.unwrap()
}

#[test]
fn a_listing_that_panics_ends_with_an_issue_about_the_whole() {
    let site = Site::new(&[]);
    let source = site.track(Mallory(vec![Trick::PanicWhileListing, Trick::GiveMore]));

    assert_eq!(source.entries().count(), 1);

    assert_eq!(site.only_issue(), issue(IssueKind::Listing, ""));
}

#[test]
fn a_listing_that_fails_goes_on() {
    let site = Site::new(&[]);
    let source = site.track(Mallory(vec![Trick::FailWhileListing, Trick::GiveMore]));

    assert_eq!(source.entries().count(), 2);

    assert_eq!(site.only_issue(), issue(IssueKind::Listing, "folder"));
}

#[test]
fn files_that_fail_or_panic_cost_themselves_only() {
    let tricks =
        [Trick::PanicWhenOpened, Trick::FailWhenOpened, Trick::PanicWhenRead, Trick::FailWhenRead];
    let site = Site::new(&[]);

    for trick in tricks {
        read_all(file(&site, trick)).unwrap_err();
    }

    let all = tricks.map(|trick| issue(IssueKind::Unreadable, &format!("{trick:?}")));
    assert_eq!(site.issues(), all);
    assert_eq!(site.left_out(), 4);
}

#[test]
fn a_failed_file_never_comes_to_a_clean_end() {
    let site = Site::new(&[]);
    let mut reader = file(&site, Trick::FailWhenRead).open().ok().unwrap();

    for _ in 0..2 {
        reader.read(&mut [0; 8]).unwrap_err();
    }

    assert_eq!(site.issues().len(), 1);
    assert_eq!(site.left_out(), 1);
}

#[test]
fn fewer_or_more_bytes_than_were_listed_are_told_of_every_source() {
    let tricks = [
        (Trick::GiveLess, 1, IssueKind::Shrunk),
        (Trick::GiveMore, 3, IssueKind::Rewritten),
        (Trick::PanicAtTheEnd, 2, IssueKind::Unreadable),
    ];
    for (trick, bytes, kind) in tricks {
        let site = Site::new(&[]);
        assert_eq!(read_all(file(&site, trick)).unwrap().len(), bytes);
        assert_eq!(site.only_issue(), issue(kind, &format!("{trick:?}")));
        assert_eq!(site.left_out(), 0);
    }
}

#[test]
fn what_fails_after_the_wish_to_stop_is_no_issue() {
    let site = Site::new(&[]);
    let mut reader = file(&site, Trick::FailWhenRead).open().ok().unwrap();
    let opened_late = file(&site, Trick::GiveMore);

    site.control.cancel();

    reader.read(&mut [0; 8]).unwrap_err();
    read_all(opened_late).unwrap_err();
    assert!(site.issues().is_empty());
    assert_eq!(site.left_out(), 2);
}
