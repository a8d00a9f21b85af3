//! Folders that are listed on the control connection, where nothing has to be opened for them:
//! many in one round trip, where a listing of its own takes five.
//!
//! vsftpd alone is asked for it. Such a listing ends where a line says so, and a file may be called
//! what such a line says: whoever may upload could hide what follows his file. So the server is
//! asked before and afterwards for something that it says the same every time, and that is longer
//! than any name: if it does not follow the listing, the listing was not over.
//!
//! A folder of which anything is odd is listed alone, in the other way, which tells why.

use super::{
    Class, Connection, Fault,
    listing::{Lister, Listing},
    reply::Reply,
};

/// What vsftpd says to this has some 300 bytes, and a name 255; where names are not counted in
/// bytes, three times as many.
const SENTINEL: &[u8] = b"HELP";
const SENTINELS: usize = 3;
const LONGEST_NAME_BYTES: usize = 255;
/// A folder with more to list is listed alone, where it is understood line by line as it comes.
const LONGEST_LISTING_BYTES: usize = 4 * 1024 * 1024;

impl Connection {
    /// Whether folders can be listed together.
    pub fn lists_together(&self) -> bool {
        self.is_vsftpd() && !self.knows("MLST")
    }

    /// The entries of folders that are asked for at once, with what the listings do not tell of
    /// their files; None for those that have to be listed alone.
    pub fn list_together(&mut self, paths: &[&[u8]]) -> Result<Vec<Option<Listing>>, Fault> {
        let mut enter = Vec::with_capacity(paths.len());
        for path in paths {
            enter.push([b"CWD ", &*self.spell(path)?].concat());
        }
        let mut commands = vec![SENTINEL];
        for enter in &enter {
            commands.extend([enter, b"STAT -a".as_slice()]);
            commands.extend([SENTINEL; SENTINELS]);
        }
        self.send(&commands)?;
        let sentinel = self.reply()?;
        let mut listings = Vec::with_capacity(paths.len());
        for _ in paths {
            listings.push(self.next_listing(&sentinel)?);
        }
        let folders = paths.iter().zip(&mut listings);
        self.add_details(folders.filter_map(|(path, listing)| Some((*path, listing.as_mut()?))))?;
        Ok(listings)
    }

    fn next_listing(&mut self, sentinel: &Reply) -> Result<Option<Listing>, Fault> {
        let (entered, status) = (self.reply()?, self.long_reply(LONGEST_LISTING_BYTES)?);
        for _ in 0..SENTINELS {
            if self.reply()? != *sentinel {
                let message = "a name in it passes for the end of its listing";
                return Err(Fault::new(Class::Stale, message));
            }
        }
        let is_sure = entered.is_success() && is_long(sentinel);
        Ok(lines(&status).filter(|_| is_sure).and_then(understand))
    }
}

/// The lines of a listing that holds the folder itself: it does wherever the folder may be read.
fn lines(status: &Reply) -> Option<&[Vec<u8>]> {
    let [_, lines @ .., _] = status.lines.as_slice() else { return None };
    let is_readable = lines.iter().any(|line| line.starts_with(b"d") && line.ends_with(b" ."));
    (status.code == 213 && is_readable).then_some(lines)
}

fn understand(lines: &[Vec<u8>]) -> Option<Listing> {
    let mut lister = Lister::of_people();
    for line in lines {
        lister.push(line);
        lister.push(b"\n");
    }
    lister.listing().ok()
}

/// Whether no name can hold what it says.
fn is_long(sentinel: &Reply) -> bool {
    sentinel.lines.iter().map(Vec::len).sum::<usize>() > LONGEST_NAME_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() }
    }

    const HERE: &str = "drwxr-xr-x    2 0        0              40 Nov 27 08:01 .";
    const FILE: &str = "-rw-r--r--    1 0        0               5 Nov 27 08:01 file";

    #[test]
    fn only_a_listing_that_holds_the_folder_itself_is_one() {
        let listed = |code, lines: &[&str]| {
            let ended = [&["213-Status follows:"], lines, &["213 End of status"]].concat();
            lines_of(&reply(code, &ended))
        };

        assert_eq!(listed(213, &[HERE, FILE]).map(|listing| listing.entries.len()), Some(1));
        assert_eq!(listed(213, &[HERE]).map(|listing| listing.entries.len()), Some(0));
        assert_eq!(listed(213, &[FILE]), None, "not the folder");
        assert_eq!(listed(213, &[]), None, "it may not be read");
        assert_eq!(listed(550, &[HERE, FILE]), None, "it was refused");
        assert_eq!(listed(213, &[HERE, "what is this"]), None, "not understood");
    }

    fn lines_of(status: &Reply) -> Option<Listing> {
        lines(status).and_then(understand)
    }

    #[test]
    fn what_fits_into_a_name_ends_no_listing() {
        assert!(!is_long(&reply(214, &["214 Help OK."])));
        assert!(!is_long(&reply(214, &["x".repeat(255).as_str()])));
        assert!(is_long(&reply(214, &["x".repeat(200).as_str(), "y".repeat(200).as_str()])));
    }
}
