//! Folders that are to be listed, and what was listed before the walk asked for it.
//!
//! Bounded: a tree without end, or a folder of a million entries in each, must not take all
//! memory. What is not listed ahead is listed when the walk comes there.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{
    ftps::{
        Fault,
        listing::{Kind, Listing},
        path::join,
    },
    source::walk::LONGEST_PATH_BYTES,
};

/// How many folders are listed ahead of the walk.
const MOST_FOLDERS: usize = 10_000;
/// What these may take of memory.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// Paths are relative to the root.
#[derive(Default)]
pub struct Listings {
    /// Folders that were asked for, and what came of it.
    folders: HashMap<Vec<u8>, Option<Result<Listing, Fault>>>,
    queue: VecDeque<Vec<u8>>,
    /// About what both take of memory.
    bytes: usize,
    /// The folder that the walk waits for.
    awaited: Option<Vec<u8>>,
    /// What names the folders that were listed ahead, where the server tells: one that comes again
    /// lies behind a link, and perhaps in itself.
    seen: HashSet<Vec<u8>>,
}

impl Listings {
    /// List a folder some time.
    fn later(&mut self, path: Vec<u8>) {
        if !self.folders.contains_key(&path) {
            self.bytes += path_bytes(&path);
            self.folders.insert(path.clone(), None);
            self.queue.push_back(path);
        }
    }

    /// List a folder next: the walk waits for it.
    pub fn now(&mut self, path: &[u8]) {
        self.later(path.to_vec());
        if let Some(place) = self.queue.iter().position(|queued| queued == path)
            && let Some(next) = self.queue.remove(place)
        {
            self.queue.push_front(next);
        }
        if self.is_full() {
            self.pass(path);
        }
        self.awaited = Some(path.to_vec());
    }

    /// The walk came to `path`: what comes before it, and was not asked for, never will be. It is
    /// excluded, say.
    fn pass(&mut self, path: &[u8]) {
        let is_ahead = |other: &[u8]| parts(other).ge(parts(path));
        let bytes = &mut self.bytes;
        self.folders.retain(|other, result| {
            let stays = is_ahead(other);
            if !stays {
                *bytes = bytes.saturating_sub(path_bytes(other) + listed_bytes(result.as_ref()));
            }
            stays
        });
        self.queue.retain(|other| is_ahead(other));
    }

    /// List a folder once more: who was at it could not.
    pub fn again(&mut self, path: Vec<u8>) {
        self.queue.push_front(path);
    }

    /// Whether there is a folder to list next.
    pub fn has_next(&self) -> bool {
        self.next_place().is_some()
    }

    /// How many folders are to be listed some time.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The folders to list next, so many at most.
    pub fn next_ones(&mut self, most: usize) -> Vec<Vec<u8>> {
        (0..most).map_while(|_| self.next()).collect()
    }

    /// The folder to list next.
    fn next(&mut self) -> Option<Vec<u8>> {
        self.queue.remove(self.next_place()?)
    }

    /// The first one; once enough is listed, only the one that the walk waits for.
    fn next_place(&self) -> Option<usize> {
        if !self.is_full() {
            return (!self.queue.is_empty()).then_some(0);
        }
        let awaited = self.awaited.as_ref()?;
        self.queue.iter().position(|queued| queued == awaited)
    }

    /// A folder was listed, or never will be; the folders in it that are not left out are listed
    /// later.
    pub fn note(
        &mut self,
        path: Vec<u8>,
        result: Result<Listing, Fault>,
        is_left_out: impl Fn(&[u8]) -> bool,
    ) {
        if !self.folders.contains_key(&path) {
            return; // the walk has passed it
        }
        if let Ok(listing) = &result {
            self.bytes += listing.memory_bytes();
            for (path, unique) in folders(listing, &path) {
                if is_left_out(&path) || unique.is_some_and(|unique| !self.is_new(unique)) {
                    continue;
                }
                let is_far = self.folders.len() >= MOST_FOLDERS || self.is_full();
                if is_far || path.len() > LONGEST_PATH_BYTES {
                    break;
                }
                self.later(path);
            }
        }
        self.folders.insert(path, Some(result));
    }

    /// Whether a folder comes for the first time, as far as memory goes.
    fn is_new(&mut self, unique: &[u8]) -> bool {
        if self.seen.len() >= MOST_FOLDERS {
            self.seen.clear();
        }
        self.seen.insert(unique.to_vec())
    }

    /// What came of listing a folder, once it did.
    pub fn take(&mut self, path: &[u8]) -> Option<Result<Listing, Fault>> {
        self.folders.get(path)?.as_ref()?;
        let result = self.folders.remove(path)??;
        self.bytes = self.bytes.saturating_sub(path_bytes(path) + listed_bytes(Some(&result)));
        Some(result)
    }

    fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }
}

/// The folders in the one at `path`, one after the other, with what names each of them everywhere.
fn folders<'a>(
    listing: &'a Listing,
    path: &'a [u8],
) -> impl Iterator<Item = (Vec<u8>, Option<&'a [u8]>)> {
    let folders = listing.entries.iter().filter(|entry| entry.kind == Kind::Folder);
    folders.map(move |entry| (join(path, &entry.name), entry.unique.as_deref()))
}

/// The names of a path; of two paths the walk comes first to the one whose names come first.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

fn listed_bytes(result: Option<&Result<Listing, Fault>>) -> usize {
    result.and_then(|result| result.as_ref().ok()).map_or(0, Listing::memory_bytes)
}

/// What a path takes of memory, which stands in the map and in the queue.
fn path_bytes(path: &[u8]) -> usize {
    2 * (size_of::<Vec<u8>>() + path.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftps::listing::machine_listing;

    /// A listing of so many folders, whose names begin with so many letters.
    fn listed(count: usize, letters: usize) -> Listing {
        let name = "x".repeat(letters);
        let lines = (0..count).map(|one| format!("type=dir; {name}{one}\r\n").into_bytes());
        machine_listing(&lines.collect::<Vec<_>>().concat()).unwrap()
    }

    #[test]
    fn folders_are_listed_in_the_order_in_which_they_were_found_but_for_the_one_that_is_awaited() {
        let mut listings = Listings::default();
        listings.now(b"");
        assert_eq!(listings.next(), Some(Vec::new()));
        listings.note(Vec::new(), Ok(listed(3, 0)), |_| false);

        listings.now(b"2");

        assert_eq!([listings.next(), listings.next()], [Some(b"2".to_vec()), Some(b"0".to_vec())]);
        assert!(listings.take(b"").unwrap().is_ok());
        assert!(listings.take(b"").is_none(), "nothing is listed twice");
    }

    #[test]
    fn what_is_left_out_is_not_listed() {
        let mut listings = Listings::default();
        listings.now(b"");
        listings.next();

        listings.note(Vec::new(), Ok(listed(3, 0)), |path| path == b"1");

        let left = [listings.next(), listings.next(), listings.next()];
        assert_eq!(left, [Some(b"0".to_vec()), Some(b"2".to_vec()), None]);
    }

    #[test]
    fn a_folder_that_comes_again_is_not_listed_ahead() {
        let mut listings = Listings::default();
        listings.now(b"");
        listings.next();
        let listed = |lines: &[u8]| Ok(machine_listing(lines).unwrap());

        let root = b"type=dir;unique=1; a\r\ntype=dir; b\r\ntype=dir;unique=1; c\r\n";
        listings.note(Vec::new(), listed(root), |_| false);
        assert_eq!([listings.next(), listings.next()], [Some(b"a".into()), Some(b"b".into())]);
        assert_eq!(listings.next(), None);

        listings.note(b"a".into(), listed(b"type=dir;unique=1; up\r\n"), |_| false);
        assert_eq!(listings.next(), None);
        listings.now(b"c");
        assert_eq!(listings.next(), Some(b"c".into()), "the walk asks for it all the same");
    }

    #[test]
    fn a_tree_without_end_is_not_listed_ahead_without_end() {
        let mut listings = Listings::default();
        listings.now(b"");

        let mut count = 0;
        while let Some(path) = listings.next() {
            listings.note(path, Ok(listed(10, 1000)), |_| false);
            count += 1;
            assert!(count <= MOST_FOLDERS && listings.bytes < 2 * MOST_BYTES);
        }

        assert!(!listings.queue.is_empty(), "memory is full before the tree ends");
        assert!(!listings.has_next(), "nobody waits for a folder that is not listed");
        let awaited = listings.queue.iter().max().unwrap().clone();
        listings.now(&awaited);
        assert_eq!(listings.next(), Some(awaited), "the walk goes on all the same");
    }

    #[test]
    fn what_the_walk_has_passed_takes_no_memory() {
        let mut listings = Listings::default();
        for path in ["a", "a/x", "b", "b.c", "b/c", "c"] {
            listings.now(path.as_bytes());
            listings.next();
            listings.note(path.into(), Ok(listed(0, 0)), |_| false);
        }
        listings.bytes = MOST_BYTES;

        listings.now(b"b/a");

        let mut left: Vec<_> = listings.folders.keys().map(Vec::as_slice).collect();
        left.sort_unstable();
        assert_eq!(left, [b"b.c".as_slice(), b"b/a", b"b/c", b"c"]);
        assert!(listings.bytes < MOST_BYTES);
        listings.note(b"a".to_vec(), Ok(listed(1, 1)), |_| false);
        assert!(listings.take(b"a").is_none());
    }

    #[test]
    fn what_was_taken_makes_room() {
        let mut listings = Listings::default();
        listings.now(b"");
        listings.next();
        listings.note(Vec::new(), Ok(listed(2, 10)), |_| false);
        for path in [listings.next().unwrap(), listings.next().unwrap()] {
            listings.note(path, Ok(listed(0, 0)), |_| false);
        }

        for path in [String::new(), "x".repeat(10) + "0", "x".repeat(10) + "1"] {
            assert!(listings.take(path.as_bytes()).is_some());
        }

        assert_eq!(listings.bytes, 0);
    }
}
