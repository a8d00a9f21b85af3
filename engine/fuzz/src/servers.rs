//! What FTPS servers say: replies, listings and moments.

use std::ops::RangeInclusive;

use unstoppable_engine_core::ftps::{
    listing::{Entry, Kind, Lister, Listing, Unbelievable, long_listing, machine_listing},
    moment::moment,
    reply::{NoReply, Reply, ReplyReader, port, shown},
};

/// Longer words are cut where they are shown: 300 characters, each of at most 10 once escaped.
const MOST_SHOWN: usize = 300 * 10 + 1;
/// Of a reply, some lines, and what stands between them.
const MOST_WORDS: usize = 6 * (MOST_SHOWN + 3);
/// The most that one reply takes of memory, with what was received together with its end.
const MOST_HELD: usize = 272 * 1024;

/// The same replies are found however their bytes are cut, with every line in its place, and
/// nothing in them does anything to a terminal.
pub fn reply(data: &[u8]) {
    let (replies, end) = read(data.chunks(data.len().max(1)));
    assert_eq!((&replies, &end), as_pair(&read(data.chunks(1))), "cut into bytes");
    assert_eq!((&replies, &end), as_pair(&read(cut(data))), "cut anywhere");
    let told = replies.iter().flat_map(|reply| &reply.lines);
    assert!(told.zip(lines(data)).all(|(told, line)| told == line), "a line is lost or changed");
    replies.iter().for_each(see_reply);
    if let Some(NoReply(message)) = end {
        see_harmless(&message);
    }
    let words = shown(data);
    see_harmless(&words);
    assert!(words.chars().count() <= MOST_SHOWN, "shows all there is");
}

fn as_pair<A, B>(pair: &(A, B)) -> (&A, &B) {
    (&pair.0, &pair.1)
}

/// All replies, and what is none.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Reply>, Option<NoReply>) {
    let mut reader = ReplyReader::default();
    let mut replies = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
        }
        assert!(reader.pending_bytes() <= MOST_HELD, "holds more than a reply");
    }
    (replies, None)
}

/// Pieces of lengths that the content itself says, so that every cut can be found.
fn cut(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let length = usize::from(*rest.first()? % 32) + 1;
        let (piece, left) = rest.split_at(length.min(rest.len()));
        rest = left;
        Some(piece)
    })
}

/// Lines as anybody would find them.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = data.split(|byte| *byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn see_reply(reply: &Reply) {
    const CODES: RangeInclusive<u16> = 100..=599;
    assert!(CODES.contains(&reply.code), "{} is no code", reply.code);
    let code = reply.code.to_string();
    for line in [reply.lines.first(), reply.lines.last()].into_iter().flatten() {
        assert!(line.starts_with(code.as_bytes()), "{code} is not what it says");
    }
    let shown = reply.to_string();
    see_harmless(&shown);
    assert!(shown.chars().count() <= MOST_WORDS, "shows all there is");
    assert_ne!(port(reply), Some(0));
    // Asked of every reply that ends a listing.
    reply.says("permission denied");
}

/// What stands here is one line, and a terminal does nothing but show it.
fn see_harmless(words: &str) {
    let is_harmful = |letter: char| letter.is_control() || "\u{202e}\u{2066}".contains(letter);
    assert!(!words.chars().any(is_harmful), "{words:?} does something");
}

/// Every line of a listing is told: as an entry, as a name that cannot be stored, as the folder
/// itself or the one above, or as the end of trust in all of them.
pub fn listing(data: &[u8]) {
    let long = long_listing(data);
    see_listing(data, &long, |line| line.starts_with(b"total "), may_be_aside_of_ls);
    let machine = machine_listing(data);
    see_listing(data, &machine, is_aside, is_aside);
    assert_eq!(listed(Lister::of_people(), data), long, "cut anywhere");
    assert_eq!(listed(Lister::of_machines(), data), machine, "cut anywhere");
    if let (Ok(mut machine), Ok(long)) = (machine, long) {
        let names = |listing: &Listing| -> Vec<_> {
            listing.entries.iter().map(|entry| entry.name.clone()).collect()
        };
        let before = names(&machine);
        machine.take_targets(long);
        assert_eq!(names(&machine), before, "targets change what is listed");
    }
    see_moments(data);
}

fn listed(mut lister: Lister, data: &[u8]) -> Result<Listing, Unbelievable> {
    cut(data).for_each(|piece| lister.push(piece));
    lister.listing()
}

fn see_listing(
    data: &[u8],
    listing: &Result<Listing, Unbelievable>,
    is_aside: impl Fn(&[u8]) -> bool,
    may_be_aside: impl Fn(&[u8]) -> bool,
) {
    let listing = match listing {
        Ok(listing) => listing,
        Err(Unbelievable(message)) => return see_harmless(message),
    };
    let told = listing.entries.len() + listing.refused.len();
    let lines: Vec<&[u8]> = lines(data).filter(|line| !line.is_empty()).collect();
    let least = lines.iter().filter(|line| !may_be_aside(line)).count();
    let most = lines.iter().filter(|line| !is_aside(line)).count();
    assert!((least..=most).contains(&told), "{told} of {least} to {most} lines are told");
    listing.refused.iter().for_each(|name| see_harmless(name));
    let names = listing.entries.iter().map(|entry| &entry.name);
    assert!(names.clone().zip(names.skip(1)).all(|(one, next)| one < next), "not sorted");
    for entry in &listing.entries {
        see_entry(entry);
    }
    let kept = listing.entries.iter().map(taken_bytes).sum::<usize>();
    assert!(kept <= data.len(), "holds more than was listed");
}

fn see_entry(entry: &Entry) {
    let name = entry.name.as_slice();
    assert!(!matches!(name, b"" | b"." | b".."), "{name:?} is no name");
    assert!(!name.iter().any(|byte| matches!(byte, b'/' | b'\n' | 0)), "{name:?} leads elsewhere");
    assert_ne!(entry.kind, Kind::Link(Some(Vec::new())), "a link to nothing");
}

fn taken_bytes(entry: &Entry) -> usize {
    let target = match &entry.kind {
        Kind::Link(Some(target)) => target.len(),
        _ => 0,
    };
    entry.name.len() + target + entry.unique.as_ref().map_or(0, Vec::len)
}

/// Whether a line of MLSD is about the folder itself or the one above.
fn is_aside(line: &[u8]) -> bool {
    let Some(end) = line.iter().position(|byte| *byte == b' ') else { return false };
    let (facts, name) = line.split_at(end);
    let says =
        |fact: &[u8]| matches!(fact.to_ascii_lowercase().as_slice(), b"type=cdir" | b"type=pdir");
    matches!(name, b" ." | b" ..") || facts.split(|byte| *byte == b';').any(says)
}

/// Whether a line of `ls` is its sum, or may be about the folder itself or the one above.
fn may_be_aside_of_ls(line: &[u8]) -> bool {
    line.starts_with(b"total ") || line.ends_with(b" .") || line.ends_with(b" ..")
}

/// Later is later: moments have the order of their digits.
fn see_moments(data: &[u8]) {
    let digits = |text: &[u8]| text.get(..14).map(<[u8]>::to_vec);
    let times = lines(data).flat_map(|line| line.split(|byte| b"; =".contains(byte)));
    let mut known: Vec<_> = times.filter_map(|text| Some((digits(text)?, moment(text)?))).collect();
    known.sort_unstable();
    for pair in known.windows(2) {
        let [(digits_of_one, one), (text, next)] = pair else { continue };
        // A leap second is the one before it.
        assert!(
            one < next || digits_of_one == text || text.ends_with(b"60"),
            "{text:?} is not later"
        );
    }
}
