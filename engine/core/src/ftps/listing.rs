//! What a folder holds, as a server lists it: MLSD, or the output of `ls` where it knows no MLSD.
//!
//! A line that cannot be understood fails its folder: what it says would be missing in silence.

use std::collections::HashMap;

use super::{
    moment::{Moment, moment},
    reply::shown,
};

/// Longer names are refused by every file system.
const LONGEST_NAME_BYTES: usize = 1024;
/// A line has a name, what a link leads to, and some facts.
const LONGEST_LINE_BYTES: usize = 16 * 1024;
/// More entries than these no folder has; each takes some 150 bytes.
const MOST_LINES: usize = 2_000_000;

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, byte for byte; never empty, `.`, `..`, and without `/` and NUL.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes, where the server tells; what it tells of folders means nothing.
    pub size_bytes: Option<u64>,
    /// When it was last written to, to the second; None where a listing shows less than that.
    pub modified: Option<Moment>,
    /// The permission bits, where the server tells them.
    pub mode: Option<u32>,
    /// What names the same thing wherever it is listed, where the server tells.
    pub unique: Option<Vec<u8>>,
}

impl Entry {
    /// Whether a listing leaves out how long a file is, or when it was written to.
    pub fn is_untold(&self) -> bool {
        self.kind == Kind::File && (self.size_bytes.is_none() || self.modified.is_none())
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Something with content.
    File,
    /// Something with entries.
    Folder,
    /// A symbolic link, and where it leads if the server tells.
    Link(Option<Vec<u8>>),
    /// A pipe, a device, or what nobody knows.
    Other,
}

/// The entries of a folder, and the names that cannot be stored, fit to be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order of their names, each name once.
    pub entries: Vec<Entry>,
    /// Names with `/` or NUL in them, ones of dots alone, or ones that are too long.
    pub refused: Vec<String>,
    /// Whether the folder itself was listed with what lies in it.
    pub shows_itself: bool,
}

/// Why a listing is not believed: one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbelievable(pub String);

impl Listing {
    /// Take from another listing of the folder where links lead, for those that lack it.
    pub fn take_targets(&mut self, other: Self) {
        let mut targets: HashMap<Vec<u8>, Kind> =
            other.entries.into_iter().map(|entry| (entry.name, entry.kind)).collect();
        for entry in self.entries.iter_mut().filter(|entry| entry.kind == Kind::Link(None)) {
            if let Some(kind @ Kind::Link(_)) = targets.remove(&entry.name) {
                entry.kind = kind;
            }
        }
    }

    /// Whether nothing at all was listed.
    pub fn is_blank(&self) -> bool {
        self.entries.is_empty() && self.refused.is_empty() && !self.shows_itself
    }

    /// About what it takes of memory.
    pub fn memory_bytes(&self) -> usize {
        let entries = self.entries.iter().map(Entry::memory_bytes);
        let refused = self.refused.iter().map(|name| size_of::<String>() + name.len());
        entries.chain(refused).sum()
    }
}

impl Entry {
    fn memory_bytes(&self) -> usize {
        let target = match &self.kind {
            Kind::Link(Some(target)) => target.len(),
            _ => 0,
        };
        let unique = self.unique.as_ref().map_or(0, Vec::len);
        size_of::<Self>() + self.name.len() + target + unique
    }
}

/// Understand what MLSD lists.
pub fn machine_listing(content: &[u8]) -> Result<Listing, Unbelievable> {
    Lister::of_machines().all(content)
}

/// Understand what `LIST -a` lists.
pub fn long_listing(content: &[u8]) -> Result<Listing, Unbelievable> {
    Lister::of_people().all(content)
}

/// What a line is: an entry, the folder itself, or what is said beside, of the one above say.
enum Line {
    Entry(Entry),
    Itself,
    Aside,
}

/// Understands a listing as it comes, so that only what it says is held.
pub struct Lister {
    understand: fn(&[u8]) -> Option<Line>,
    /// The beginning of a line.
    rest: Vec<u8>,
    listing: Listing,
    lines: usize,
    failed: Option<Unbelievable>,
}

impl Lister {
    /// One of what MLSD lists.
    pub fn of_machines() -> Self {
        Self::by(machine_line)
    }

    /// One of what `LIST -a` lists.
    pub fn of_people() -> Self {
        Self::by(long_line)
    }

    fn by(understand: fn(&[u8]) -> Option<Line>) -> Self {
        let listing = Listing::default();
        Self { understand, rest: Vec::new(), listing, lines: 0, failed: None }
    }

    fn all(mut self, content: &[u8]) -> Result<Listing, Unbelievable> {
        self.push(content);
        self.listing()
    }

    /// Take what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let last = lines.next_back().unwrap_or_default();
        for part in lines {
            self.begin_line(part);
            let line = std::mem::take(&mut self.rest);
            self.line(line.strip_suffix(b"\r").unwrap_or(&line));
            self.rest = line;
            self.rest.clear();
        }
        self.begin_line(last);
    }

    /// Whether what came so far ends within a line: whole listings do not.
    pub fn is_inside_a_line(&self) -> bool {
        !self.rest.is_empty()
    }

    fn begin_line(&mut self, part: &[u8]) {
        // So much that it is seen to be too long, whatever it ends with here.
        let room = (LONGEST_LINE_BYTES + 2).saturating_sub(self.rest.len());
        self.rest.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn line(&mut self, line: &[u8]) {
        if line.is_empty() || self.failed.is_some() {
            return;
        }
        self.lines += 1;
        if self.lines > MOST_LINES {
            let message = format!("it has more than {MOST_LINES} lines");
            self.failed = Some(Unbelievable(message));
            return;
        }
        let is_line = line.len() <= LONGEST_LINE_BYTES;
        match is_line.then(|| (self.understand)(line)).flatten() {
            Some(Line::Entry(entry)) if is_storable(&entry.name) => {
                self.listing.entries.push(entry);
            }
            Some(Line::Entry(entry)) => self.listing.refused.push(shown(&entry.name)),
            Some(Line::Itself) => self.listing.shows_itself = true,
            Some(Line::Aside) => {}
            None => {
                let message = format!("the line \"{}\" cannot be understood", shown(line));
                self.failed = Some(Unbelievable(message));
            }
        }
    }

    /// All that came, once nothing more does.
    pub fn listing(mut self) -> Result<Listing, Unbelievable> {
        let line = std::mem::take(&mut self.rest);
        self.line(line.strip_suffix(b"\r").unwrap_or(&line));
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let mut listing = self.listing;
        listing.entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let is_double = |pair: &&[Entry]| matches!(pair, [one, other] if one.name == other.name);
        let Some(pair) = listing.entries.windows(2).find(is_double) else { return Ok(listing) };
        let name = pair.first().map(|entry| shown(&entry.name)).unwrap_or_default();
        Err(Unbelievable(format!("the name \"{name}\" is listed twice")))
    }
}

fn is_storable(name: &[u8]) -> bool {
    let is_harmful = |byte: &u8| matches!(byte, b'/' | 0);
    name.len() <= LONGEST_NAME_BYTES
        && !matches!(name, b"" | b"." | b"..")
        && !name.iter().any(is_harmful)
}

/// `type=file;size=7;modify=20260102030405; name`: RFC 3659, section 7.2.
fn machine_line(line: &[u8]) -> Option<Line> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    let (facts, name) = (line.get(..end)?, line.get(end + 1..)?);
    let mut entry = Entry {
        name: name.to_vec(),
        kind: Kind::Other,
        size_bytes: None,
        modified: None,
        mode: None,
        unique: None,
    };
    let mut is_typed = false;
    for fact in facts.split(|byte| *byte == b';').filter(|fact| !fact.is_empty()) {
        let at = fact.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (fact.get(..at)?.to_ascii_lowercase(), fact.get(at + 1..)?);
        match key.as_slice() {
            b"type" => {
                is_typed = true;
                match kind(value) {
                    Some(kind) => entry.kind = kind,
                    None => return Some(Line::Aside),
                }
            }
            b"size" => entry.size_bytes = Some(number(value)?),
            b"modify" => entry.modified = moment(value),
            b"unix.mode" => entry.mode = u32::from_str_radix(text(value)?, 8).ok(),
            b"unique" => entry.unique = Some(value.to_vec()),
            _ => {}
        }
    }
    match name {
        b"." => return Some(Line::Itself),
        b".." => return Some(Line::Aside),
        _ => {}
    }
    (is_typed && !name.is_empty()).then_some(Line::Entry(entry))
}

/// What a `type` says; None for the folder itself and the one above.
fn kind(value: &[u8]) -> Option<Kind> {
    let lower = value.to_ascii_lowercase();
    Some(match lower.as_slice() {
        b"cdir" | b"pdir" => return None,
        b"file" => Kind::File,
        b"dir" => Kind::Folder,
        b"os.unix=symlink" | b"os.unix=slink" => Kind::Link(None),
        other if other.starts_with(b"os.unix=slink:") => {
            let target = value.get(b"os.unix=slink:".len()..).unwrap_or_default();
            Kind::Link((!target.is_empty()).then(|| target.to_vec()))
        }
        _ => Kind::Other,
    })
}

/// `-rw-r--r--   1 alice    users           7 Jan 02 03:04 name`, as `ls -la` writes it. Owners
/// may have spaces in their names, so what follows them is found by the month.
fn long_line(line: &[u8]) -> Option<Line> {
    if let Some(blocks) = line.strip_prefix(b"total ") {
        return number(blocks).map(|_| Line::Aside);
    }
    let mode = line.get(..10)?;
    if !matches!(line.get(10), Some(b' ' | b'+' | b'.' | b'@')) || !is_mode(mode) {
        return None;
    }
    let fields = fields(line);
    let month = (4..=fields.len().checked_sub(3)?).find(|place| is_date(line, &fields, *place))?;
    let size = fields.get(month - 1).and_then(|(from, to)| line.get(*from..*to))?;
    let date_end = fields.get(month + 2)?.1;
    let name = line.get(date_end + 1..).filter(|name| !name.is_empty())?;
    match name {
        b"." => return Some(Line::Itself),
        b".." => return Some(Line::Aside),
        _ => {}
    }
    let size_bytes = number(size)?;
    let (name, kind) = match mode.first()? {
        b'-' => (name, Kind::File),
        b'd' => (name, Kind::Folder),
        b'l' => linked(name, size_bytes)?,
        _ => (name, Kind::Other),
    };
    Some(Line::Entry(Entry {
        name: name.to_vec(),
        kind,
        size_bytes: Some(size_bytes),
        modified: None,
        mode: Some(mode_bits(mode)),
        unique: None,
    }))
}

/// A link's name and target, parted where the target's length says: both may hold an arrow.
fn linked(text: &[u8], target_bytes: u64) -> Option<(&[u8], Kind)> {
    let arrow = b" -> ";
    let by_length = usize::try_from(target_bytes)
        .ok()
        .and_then(|length| text.len().checked_sub(length)?.checked_sub(arrow.len()))
        .filter(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(arrow)));
    // A server may show another length. Then the first arrow is as good as any other.
    let at = by_length.or_else(|| text.windows(arrow.len()).position(|part| part == arrow))?;
    let target = text.get(at + arrow.len()..)?.to_vec();
    let name = text.get(..at).filter(|name| !name.is_empty())?;
    Some((name, Kind::Link((!target.is_empty()).then_some(target))))
}

/// Where the words of a line begin and end.
fn fields(line: &[u8]) -> Vec<(usize, usize)> {
    let mut fields = Vec::new();
    let mut from = None;
    for (place, byte) in line.iter().enumerate() {
        match (*byte == b' ', from) {
            (true, Some(begin)) => {
                fields.push((begin, place));
                from = None;
            }
            (false, None) => from = Some(place),
            _ => {}
        }
        if fields.len() > 16 {
            break;
        }
    }
    // What ends the line counts too; of a name it is only the first word that matters.
    fields.extend(from.map(|begin| (begin, line.len())));
    fields
}

/// Whether a size, a month, a day and a time or year stand there, the size before `place`.
fn is_date(line: &[u8], fields: &[(usize, usize)], place: usize) -> bool {
    let word = |place: usize| fields.get(place).and_then(|(from, to)| line.get(*from..*to));
    let month = word(place).is_some_and(|word| MONTHS.contains(&word));
    let day = word(place + 1).and_then(number).is_some_and(|day| (1..=31).contains(&day));
    let time = word(place + 2).is_some_and(|word| {
        let is_year = word.len() == 4 && number(word).is_some();
        let is_time = word.len() == 5 && word.get(2) == Some(&b':');
        is_year || is_time
    });
    month && day && time && place > 0 && word(place - 1).and_then(number).is_some()
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

fn is_mode(mode: &[u8]) -> bool {
    let is_kind = mode.first().is_some_and(|kind| b"-dlbcpsD?".contains(kind));
    is_kind && mode.iter().skip(1).all(|bit| b"rwxsStTlL-".contains(bit))
}

fn mode_bits(mode: &[u8]) -> u32 {
    let bits = mode.iter().skip(1).take(9).fold(0, |bits, bit| {
        // A capital letter is the special bit alone.
        (bits << 1) | u32::from(!matches!(bit, b'-' | b'S' | b'T' | b'L' | b'l'))
    });
    let special = [(3, 0o4000), (6, 0o2000), (9, 0o1000)];
    let is_set = |place: usize| mode.get(place).is_some_and(|bit| b"sStT".contains(bit));
    special.into_iter().filter(|(place, _)| is_set(*place)).fold(bits, |all, (_, bit)| all | bit)
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// A number without sign and spaces.
pub fn number(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| text(value)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
