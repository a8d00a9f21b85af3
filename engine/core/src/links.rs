//! Files that have several names, and where each of them stands.

use std::collections::HashMap;

use crate::format::tree::Identity;

/// What they may take in memory: more than half a million files. A file is held until its last
/// name has come, and for ever where others lie outside of what is looked at.
const MOST_BYTES: usize = 128 << 20;
/// To be told once, when there are more.
const TOO_MANY: &str =
    "from here on the names of one file become files of their own: too many files have several";

/// Files of which some names are still to come.
#[derive(Default)]
pub struct Links {
    files: HashMap<Identity, File>,
    held_bytes: usize,
    was_full: bool,
}

struct File {
    path: Vec<u8>,
    names_left: u64,
}

impl File {
    /// A table is up to half empty.
    fn held_bytes(&self) -> usize {
        2 * size_of::<(Identity, Self)>() + self.path.capacity()
    }
}

impl Links {
    /// Where the file stands that gets one more name; None where this is its first.
    pub fn another(&mut self, identity: &Identity) -> Option<Vec<u8>> {
        let file = self.files.get_mut(identity)?;
        file.names_left -= 1;
        if file.names_left == 0 { self.remove(identity) } else { Some(file.path.clone()) }
    }

    /// Remember where the file stands that has `links` names. Returns what is to be told.
    pub fn add(&mut self, identity: Identity, links: u64, path: Vec<u8>) -> Option<&'static str> {
        let file = File { path, names_left: links.saturating_sub(1).max(1) };
        if self.held_bytes + file.held_bytes() > MOST_BYTES {
            return (!std::mem::replace(&mut self.was_full, true)).then_some(TOO_MANY);
        }
        self.held_bytes += file.held_bytes();
        self.files.insert(identity, file);
        None
    }

    /// Forget a file: its next name is a first one again. Returns where it stood.
    pub fn remove(&mut self, identity: &Identity) -> Option<Vec<u8>> {
        let file = self.files.remove(identity)?;
        self.held_bytes -= file.held_bytes();
        Some(file.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectId;

    fn identity(inode: u64) -> Identity {
        (1, inode, ObjectId([0; 32]))
    }

    #[test]
    fn a_file_is_held_until_its_last_name_came() {
        let mut links = Links::default();
        assert_eq!(links.another(&identity(1)), None);
        assert_eq!(links.add(identity(1), 3, b"a".to_vec()), None);
        assert_eq!(links.another(&identity(2)), None);
        for _ in 0..2 {
            assert_eq!(links.another(&identity(1)), Some(b"a".to_vec()));
        }
        assert_eq!(links.another(&identity(1)), None);
        assert_eq!(links.held_bytes, 0);
    }

    #[test]
    fn names_that_never_come_take_no_more_than_so_much() {
        let mut links = Links::default();
        let path = || vec![b'a'; 1 << 20];
        let told = (0..1000).filter_map(|inode| links.add(identity(inode), u64::MAX, path()));
        assert_eq!(told.collect::<Vec<_>>(), [TOO_MANY]);
        assert!(links.held_bytes <= MOST_BYTES && links.files.len() < 128);
        assert!(links.another(&identity(1)).is_some());
        assert!(links.another(&identity(999)).is_none());
        links.remove(&identity(1));
        assert_eq!(links.add(identity(999), 2, path()), None);
    }
}
