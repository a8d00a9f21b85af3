//! Paths of a server, as bytes: names between slashes.

/// The path of something in a folder.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match (folder, name) {
        (b"", name) => name.to_vec(),
        (folder, b"") => folder.to_vec(),
        (b"/", name) => [b"/", name].concat(),
        (folder, name) => [folder, b"/", name].concat(),
    }
}

/// The folder that something lies in, and its name there.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else { return (b".", path) };
    let folder: &[u8] = if slash == 0 { b"/" } else { path.get(..slash).unwrap_or_default() };
    (folder, path.get(slash + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_lies_in_one() {
        let above = |path| split(path).0;
        assert_eq!([above(b"/a/b"), above(b"/a"), above(b"/")], [b"/a".as_slice(), b"/", b"/"]);
        assert_eq!([above(b"a/b"), above(b"a")], [b"a", b"."]);
    }

    #[test]
    fn what_was_split_is_joined_again() {
        for path in [b"/a/b".as_slice(), b"/a", b"a/b", b"/", b"/a/b c"] {
            let (folder, name) = split(path);
            assert_eq!(join(folder, name), path);
        }
        assert_eq!([join(b"", b"a"), join(b"a", b"")], [b"a", b"a"]);
    }
}
