//! Writes tar archives: ustar headers, with pax records where those are too small.

use std::io::{Read, Result, Write};

use tar::{Builder, EntryType, Header};

use crate::format::tree::{Metadata, Time};

/// Bits of a mode that give no power to whoever unpacks as root; of a folder also the one that
/// takes power: without it everyone may remove everyone's files in a folder that all may write.
const ORDINARY_MODE: u32 = 0o777;
const FOLDER_MODE: u32 = 0o1777;
/// Sizes from here on do not fit a header's eleven octal digits.
const LARGE_BYTES: u64 = 1 << 33;

/// A member of an archive.
pub struct Member {
    /// Its path in the archive; a folder's ends with a slash.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
    /// Of this its mode, its owner by number and the time of its change are told.
    pub metadata: Metadata,
}

/// What a member is.
pub enum MemberKind {
    /// A file of so many bytes, whose content comes in so many pieces.
    File { size_bytes: u64, pieces: usize },
    /// A folder.
    Folder,
    /// A symbolic link to this.
    Symlink(Vec<u8>),
    /// Another name of the file that was written at this path.
    HardLink(Vec<u8>),
}

/// An archive that is being written.
pub struct Archive<W: Write>(Builder<W>);

type Record = (&'static str, Vec<u8>);

impl<W: Write> Archive<W> {
    /// An archive without members.
    pub fn new(output: W) -> Self {
        Self(Builder::new(output))
    }

    /// Add a member; `content` must be as long as it says.
    pub fn append(&mut self, member: &Member, content: impl Read) -> Result<()> {
        let mut header = Header::new_ustar();
        let mut records = Vec::new();
        set_metadata(&mut header, member, &mut records);
        let target = set_kind(&mut header, &member.kind, &mut records);
        if let Some(ustar) = header.as_ustar_mut() {
            set_text(&mut ustar.name, "path", &member.path, &mut records);
            set_text(&mut ustar.linkname, "linkpath", target, &mut records);
        }
        header.set_cksum();
        if records.iter().any(|(_, value)| std::str::from_utf8(value).is_err()) {
            records.insert(0, ("hdrcharset", b"BINARY".to_vec()));
        }
        let records = records.iter().map(|(key, value)| (*key, value.as_slice()));
        self.0.append_pax_extensions(records)?;
        self.0.append(&header, content)
    }

    /// Mark the end: the archive is whole.
    pub fn finish(mut self) -> Result<()> {
        self.0.finish()?;
        self.0.get_mut().flush()
    }

    /// Leave it without its end, so that whoever reads it notices.
    pub fn abandon(self) {
        // Dropped, it would be finished.
        std::mem::forget(self);
    }
}

fn set_metadata(header: &mut Header, member: &Member, records: &mut Vec<Record>) {
    let Member { kind, metadata, .. } = member;
    let kept = if matches!(kind, MemberKind::Folder) { FOLDER_MODE } else { ORDINARY_MODE };
    header.set_mode(metadata.mode.unwrap_or(0o600) & kept);
    header.set_uid(metadata.uid.unwrap_or_default().into());
    header.set_gid(metadata.gid.unwrap_or_default().into());
    if let Some(time) = metadata.modified {
        header.set_mtime(u64::try_from(time.0).unwrap_or_default());
        if time.0 < 0 || time.1 > 0 {
            records.push(("mtime", decimal(time).into_bytes()));
        }
    }
}

/// Set what the member is; returns what it points to.
fn set_kind<'a>(header: &mut Header, kind: &'a MemberKind, records: &mut Vec<Record>) -> &'a [u8] {
    header.set_size(0);
    let (kind, target) = match kind {
        MemberKind::File { size_bytes, .. } => {
            header.set_size(*size_bytes);
            if *size_bytes >= LARGE_BYTES {
                records.push(("size", size_bytes.to_string().into_bytes()));
            }
            (EntryType::Regular, [].as_slice())
        }
        MemberKind::Folder => (EntryType::Directory, [].as_slice()),
        MemberKind::Symlink(target) => (EntryType::Symlink, target.as_slice()),
        MemberKind::HardLink(target) => (EntryType::Link, target.as_slice()),
    };
    header.set_entry_type(kind);
    target
}

/// Write `text` into a field, and into a record when it is too long for that.
fn set_text(field: &mut [u8], key: &'static str, text: &[u8], records: &mut Vec<Record>) {
    field.iter_mut().zip(text).for_each(|(place, byte)| *place = *byte);
    if text.len() > field.len() {
        records.push((key, text.to_vec()));
    }
}

/// Seconds since 1970 with nine digits after the point.
fn decimal((seconds, nanoseconds): Time) -> String {
    let whole = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if whole < 0 { "-" } else { "" };
    let (seconds, rest) = (whole.abs() / 1_000_000_000, whole.abs() % 1_000_000_000);
    format!("{sign}{seconds}.{rest:09}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_counted_back() {
        assert_eq!(decimal((1, 5)), "1.000000005");
        assert_eq!(decimal((-1, 250_000_000)), "-0.750000000");
        assert_eq!(decimal((-100, 0)), "-100.000000000");
    }

    #[test]
    fn an_archive_that_was_abandoned_has_no_end() {
        let mut written = Vec::new();
        Archive::new(&mut written).abandon();
        assert_eq!(written.len(), 0);
        Archive::new(&mut written).finish().unwrap();
        assert_eq!(written, [0; 1024]);
    }

    #[test]
    fn of_special_bits_only_a_folders_sticky_one_is_told() {
        let mut written = Vec::new();
        let mut archive = Archive::new(&mut written);
        for kind in [MemberKind::Folder, MemberKind::File { size_bytes: 0, pieces: 0 }] {
            let metadata = Metadata { mode: Some(0o7775), ..Metadata::default() };
            let member = Member { path: b"a".to_vec(), kind, metadata };
            archive.append(&member, std::io::empty()).unwrap();
        }
        archive.finish().unwrap();

        let mut archive = tar::Archive::new(written.as_slice());
        let modes = archive.entries().unwrap().map(|entry| entry.unwrap().header().mode().unwrap());

        assert_eq!(modes.collect::<Vec<_>>(), [0o1775, 0o775]);
    }

    #[test]
    fn what_does_not_fit_a_header_stands_in_records() {
        let mut written = Vec::new();
        let mut archive = Archive::new(&mut written);
        let metadata = Metadata {
            mode: Some(0o4755),
            uid: Some(u32::MAX - 1),
            modified: Some((-1, 250_000_000)),
            ..Metadata::default()
        };
        let path = [b"\xff".as_slice(), &[b'a'; 200]].concat();
        let kind = MemberKind::File { size_bytes: 1 << 40, pieces: 0 };
        archive.append(&Member { path: path.clone(), kind, metadata }, std::io::empty()).unwrap();
        archive.abandon();

        let mut archive = tar::Archive::new(written.as_slice());
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!((header.mode().unwrap(), header.uid().unwrap()), (0o755, 0xffff_fffe));
        assert_eq!((entry.path_bytes().as_ref(), entry.size()), (path.as_slice(), 1 << 40));
        let records = entry.pax_extensions().unwrap().unwrap().map(|record| record.unwrap());
        let told: Vec<_> = records.map(|record| record.key_bytes().to_vec()).collect();
        assert_eq!(told, [b"hdrcharset".as_slice(), b"mtime", b"size", b"path"]);
    }
}
