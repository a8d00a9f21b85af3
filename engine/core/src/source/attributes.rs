//! Extended attributes and access control lists of an entry, links not followed.

use std::{
    ffi::{CStr, CString, OsStr},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
};

use rustix::io::Errno;

/// An attribute's name and value.
pub type Attribute = (String, Vec<u8>);

/// Attributes of the entry `name` in `folder` in the order of their names, and whether some
/// have names that the format cannot hold. A file system without attributes has none.
pub fn read(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<(Vec<Attribute>, bool)> {
    // There are no calls for attributes relative to a folder before Linux 6.13.
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.as_bytes());
    let path = CString::new(path)?;
    let names = match whole(|buffer| rustix::fs::llistxattr(&*path, buffer)) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok((Vec::new(), false)),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    let mut has_unnameable = false;
    for name in names.split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        let Ok(text) = name.to_str() else {
            has_unnameable = true;
            continue;
        };
        match whole(|buffer| rustix::fs::lgetxattr(&*path, name, buffer)) {
            Ok(value) => found.push((text.to_owned(), value)),
            Err(Errno::NODATA) => {} // removed since it was listed
            Err(error) => return Err(error.into()),
        }
    }
    found.sort_unstable();
    Ok((found, has_unnameable))
}

/// Call with a growing buffer until the value fits.
fn whole(
    mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match call(&mut buffer) {
            Err(Errno::RANGE) => buffer.resize(buffer.len() * 8, 0),
            Err(error) => return Err(error),
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn small_and_large_values_come_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let large = vec![7; 3000];
        for (name, value) in [("user.z", b"last".as_slice()), ("user.a", &large)] {
            rustix::fs::setxattr(&file, name, value, rustix::fs::XattrFlags::empty()).unwrap();
        }
        let opened = std::fs::File::open(folder.path()).unwrap();

        let (found, has_unnameable) = read(opened.as_fd(), OsStr::new("file")).unwrap();

        assert_eq!(found, [("user.a".into(), large), ("user.z".into(), b"last".to_vec())]);
        assert!(!has_unnameable);
    }
}
