//! How a path is written in a command.
//!
//! Commands follow the rules of Telnet: the byte 0xFF begins a word to the other end, and stands
//! twice where it means itself. proftpd obeys them, and takes one name for another where they were
//! forgotten; others do not, and do not find what stands twice.

use std::borrow::Cow;

use super::{Class, Connection, Fault};

/// Where the words of Telnet begin.
const INTERPRET: u8 = 0xff;
const FIRST_WORD: u8 = 0xf0;

impl Connection {
    /// A path as this server takes it; a fault where it takes it for another one.
    pub(super) fn spell<'path>(&mut self, path: &'path [u8]) -> Result<Cow<'path, [u8]>, Fault> {
        check_path(path)?;
        // Without it nobody knows what the server made of a path.
        if !is_telnet(path) || !self.knows("MLST") {
            return Ok(path.into());
        }
        // Whoever obeys Telnet answers its words, which would stand in the way of the reply.
        for doubles in [true, false] {
            let spelled = if doubles { doubled(path).into() } else { Cow::Borrowed(path) };
            if self.doubles == Some(doubles) {
                return Ok(spelled);
            }
            if self.doubles.is_none() && self.finds(&spelled, path)? {
                self.doubles = Some(doubles);
                return Ok(spelled);
            }
        }
        Err(Fault::new(Class::Denied, "the server takes its name for another one"))
    }

    /// Whether the server calls `path` what stands at `spelled`.
    fn finds(&mut self, spelled: &[u8], path: &[u8]) -> Result<bool, Fault> {
        let reply = self.ask(&[b"MLST ", spelled].concat())?;
        Ok(reply.is_success() && reply.lines.iter().any(|line| line.ends_with(path)))
    }
}

/// Paths that FTP has no way to write.
fn check_path(path: &[u8]) -> Result<(), Fault> {
    match path.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        true => {
            let message = "its name holds a line break, by which FTP ends a command";
            Err(Fault::new(Class::Denied, message))
        }
        false => Ok(()),
    }
}

/// Whether it holds what Telnet takes for a word.
fn is_telnet(path: &[u8]) -> bool {
    path.windows(2).any(|pair| matches!(pair, [INTERPRET, word] if *word >= FIRST_WORD))
}

fn doubled(path: &[u8]) -> Vec<u8> {
    let twice = |byte: &u8| std::iter::repeat_n(*byte, if *byte == INTERPRET { 2 } else { 1 });
    path.iter().flat_map(twice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_telnet_knows_is_asked_for() {
        for path in [b"/plain".as_slice(), b"/\xff", b"/\xffx", b"/\xff/\xfe", "/größe".as_bytes()]
        {
            assert!(!is_telnet(path), "{path:?}");
        }
        assert!(is_telnet(b"/\xff\xff") && is_telnet(b"/\xef\xff\xf2\xfc"));
        assert_eq!(doubled(b"a\xff\xfe\xff"), b"a\xff\xff\xfe\xff\xff");
    }

    #[test]
    fn no_path_holds_a_second_command() {
        for path in [b"a\rb".as_slice(), b"a\nDELE b", b"a\0b"] {
            assert_eq!(check_path(path).unwrap_err().class, Class::Denied, "{path:?}");
        }
        assert!(check_path(b"a b").is_ok());
    }
}
