//! What lies in a folder, all of it or an error.

use super::{
    Class, Connection, Fault,
    listing::{Entry, Kind, Lister, Listing},
    path::{join, split},
    reply::{Reply, port},
};

/// How many files are asked about at a time: each question holds a path, which may be long.
const MOST_ASKED: usize = 2000;
/// What servers say in the reply that calls a listing complete, where it is not.
const REFUSALS: [&str; 5] =
    ["failed to open directory", "unable to read", "permission denied", "cannot open", "truncated"];

impl Connection {
    /// The entries of a folder; an error where they may not be all.
    pub fn list(&mut self, path: &[u8]) -> Result<Listing, Fault> {
        if !self.knows("MLST") {
            return self.list_for_people(path);
        }
        let mut listing = self.list_by(b"MLSD", Lister::of_machines(), path)?;
        let is_untold = |entry: &Entry| entry.kind == Kind::Link(None);
        if listing.entries.iter().any(is_untold) {
            // Where links lead it tells only in the listing for people.
            let told = self.list_by(b"LIST -a", Lister::of_people(), path)?;
            listing.take_targets(told);
        }
        Ok(listing)
    }

    /// By `LIST -a`, where a server may call nothing the whole of a folder that it cannot read.
    /// One that lists folders themselves as a rule is not believed then.
    fn list_for_people(&mut self, path: &[u8]) -> Result<Listing, Fault> {
        let listing = self.list_by(b"LIST -a", Lister::of_people(), path)?;
        if !listing.is_blank() {
            self.lists_itself = Some(listing.shows_itself);
            return Ok(listing);
        }
        if self.lists_itself.is_none() {
            // The folder above holds this one at least.
            match self.list_by(b"LIST -a", Lister::of_people(), split(path).0) {
                Ok(above) if above.is_blank() => {}
                Ok(above) => self.lists_itself = Some(above.shows_itself),
                Err(fault) if fault.ends_connection() => return Err(fault),
                Err(_) => {}
            }
        }
        match self.lists_itself {
            Some(true) => {
                let message = "the server lists nothing, not even the folder itself";
                Err(Fault::new(Class::Denied, message))
            }
            _ => Ok(listing),
        }
    }

    fn list_by(
        &mut self,
        command: &[u8],
        mut lister: Lister,
        path: &[u8],
    ) -> Result<Listing, Fault> {
        self.enter(path)?;
        let most_bytes = self.listing_bytes();
        let mut came_bytes = 0;
        let ending = self.transfer(command, false, &mut |bytes| {
            lister.push(bytes);
            came_bytes += bytes.len();
            match came_bytes > most_bytes {
                true => {
                    let message = format!("its listing has more than {most_bytes} bytes");
                    Err(Fault::new(Class::Integrity, message))
                }
                false => Ok(()),
            }
        })?;
        if let Some(words) = REFUSALS.iter().find(|words| ending.reply.says(words)) {
            let message = format!("the server says {} ({words})", ending.reply);
            return Err(Fault::new(Class::Denied, message));
        }
        if !ending.is_clean || lister.is_inside_a_line() {
            return Err(Fault::new(Class::Transient, "its listing was cut off"));
        }
        lister.listing().map_err(|error| Fault::new(Class::Integrity, error.0))
    }

    /// Go into a folder: servers that list by a path list nothing where they may not enter.
    fn enter(&mut self, path: &[u8]) -> Result<(), Fault> {
        let command = [b"CWD ", &*self.spell(path)?].concat();
        if !self.may_ask_ahead() {
            let reply = self.ask(&command)?;
            return entered(&reply);
        }
        self.send(&[&command, b"EPSV"])?;
        let (reply, next) = (self.reply()?, self.reply()?);
        self.next_port = port(&next);
        entered(&reply)
    }

    /// The entries of a folder, with what the listing does not tell of its files asked for.
    pub fn list_with_details(&mut self, path: &[u8]) -> Result<Listing, Fault> {
        let mut listing = self.list(path)?;
        self.add_details(std::iter::once((path, &mut listing)))?;
        Ok(listing)
    }

    /// Ask for what the listings of folders do not tell of their files.
    pub(super) fn add_details<'listing>(
        &mut self,
        folders: impl Iterator<Item = (&'listing [u8], &'listing mut Listing)>,
    ) -> Result<(), Fault> {
        let mut untold: Vec<(&[u8], &mut Entry)> = Vec::new();
        for (path, listing) in folders {
            let entries = listing.entries.iter_mut().filter(|entry| entry.is_untold());
            untold.extend(entries.map(|entry| (path, entry)));
        }
        for untold in untold.chunks_mut(MOST_ASKED) {
            let full = |(folder, entry): &(&[u8], &mut Entry)| join(folder, &entry.name);
            let paths: Vec<Vec<u8>> = untold.iter().map(full).collect();
            let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
            // A listing for people tells how long files are, but not when they were written to.
            if untold.iter().any(|(_, entry)| entry.size_bytes.is_none()) {
                for ((_, entry), size_bytes) in untold.iter_mut().zip(self.sizes(&paths)?) {
                    entry.size_bytes = size_bytes.or(entry.size_bytes);
                }
            }
            for ((_, entry), modified) in untold.iter_mut().zip(self.moments(&paths)?) {
                entry.modified = modified.or(entry.modified);
            }
        }
        Ok(())
    }
}

fn entered(reply: &Reply) -> Result<(), Fault> {
    match reply.is_success() {
        true => Ok(()),
        false => Err(Fault::refused("enter it", reply)),
    }
}
