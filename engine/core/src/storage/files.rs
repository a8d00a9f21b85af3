//! Files that are whole or not there at all, also after a crash.

use std::{
    fs::{self, DirEntry, File},
    io::{self, BufWriter, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use rustix::{
    fs::{AtFlags, CWD, OFlags, RenameFlags},
    io::Errno,
};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: rustix::fs::Mode = rustix::fs::Mode::from_raw_mode(0o600);
/// Between a file's own name and 16 random hex digits in its temporary name.
const TEMPORARY: &str = "tmp-";
/// No file is written for as long: whoever began it is gone.
const LONGEST_WRITING: Duration = Duration::from_hours(24);
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

/// Exactly `length_bytes` of a file, or [`Errno::NODATA`] when it is shorter; into memory that is
/// not filled with zeros first, which would take as long as to read.
pub fn read_at(
    file: impl AsFd,
    offset_bytes: u64,
    length_bytes: usize,
) -> rustix::io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(length_bytes);
    while content.len() < length_bytes {
        let next = offset_bytes + content.len() as u64;
        if rustix::io::pread(&file, rustix::buffer::spare_capacity(&mut content), next)? == 0 {
            return Err(Errno::NODATA);
        }
    }
    // There may be more room than was asked for.
    content.truncate(length_bytes);
    Ok(content)
}

/// Write, sync, name, sync: whole or not at all; what has the name already is an error.
pub fn create(path: &Path, content: &[Bytes]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags, FILE_MODE) {
        Ok(descriptor) => {
            let file = File::from(descriptor);
            write_synced(&file, content)?;
            // Naming a file by its descriptor needs a privilege; by its /proc link it doesn't.
            let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
        }
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => write_named(path, content)?,
        Err(error) => return Err(error.into()),
    }
    sync_folder(folder)
}

/// Put a file in the place of what has the name, whole or not at all.
pub fn replace(path: &Path, content: &[Bytes]) -> io::Result<()> {
    write_and_name(path, content, |temporary| fs::rename(temporary, path))
        .and_then(|()| path.parent().map_or(Ok(()), sync_folder))
}

fn write_synced(file: &File, content: &[Bytes]) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
    for part in content {
        writer.write_all(part)?;
    }
    writer.flush()?;
    drop(writer);
    file.sync_all()
}

/// Make a folder for this user alone; one that is there stays as it is.
pub fn make_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

/// Make a folder and what is missing above it; each must survive a crash as its content does.
pub fn make_chain(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.is_dir())
        .collect();
    for folder in missing.into_iter().rev() {
        make_folder(folder)?;
        folder.parent().filter(|above| above.is_dir()).map_or(Ok(()), sync_folder)?;
    }
    Ok(())
}

/// For file systems without unnamed files: a temporary name, then a rename that replaces nothing.
fn write_named(path: &Path, content: &[Bytes]) -> io::Result<()> {
    write_and_name(path, content, |temporary| name_once(temporary, path))
}

/// Write a file beside `path`, which `name` gives its name; it is removed where that fails.
fn write_and_name(
    path: &Path,
    content: &[Bytes],
    name: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let temporary = path.with_extension(format!("{TEMPORARY}{}", hex::encode(random)));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE.bits())
        .open(&temporary)
        .and_then(|file| write_synced(&file, content))
        .and_then(|()| name(&temporary));
    if written.is_err() {
        // Best effort: the name is no id, so that no reader ever sees the file.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Whether a file has a temporary name of ours.
pub fn is_temporary(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let digits = Path::new(&name).extension().and_then(|extension| extension.to_str());
    digits
        .and_then(|extension| extension.strip_prefix(TEMPORARY))
        .is_some_and(|digits| digits.len() == 16 && hex::decode(digits).is_ok())
}

/// Whether somebody may still be writing to a file with a temporary name.
pub fn is_being_written(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    // One that went away in between was given its name.
    let is_old =
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LONGEST_WRITING));
    is_temporary(entry) && !is_old
}

fn name_once(temporary: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(temporary, path)?;
            fs::remove_file(temporary)
        }
        renamed => Ok(renamed?),
    }
}

/// Make sure that the names in a folder survive a crash.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_unnamed_files_a_temporary_name_serves_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");

        write_named(&path, &[Bytes::from_static(b"alice")]).unwrap();
        let again = write_named(&path, &[Bytes::from_static(b"mallory")]).unwrap_err();

        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"alice");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
