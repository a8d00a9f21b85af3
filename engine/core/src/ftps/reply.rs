//! What a server says on its control connection: bounded, and never shown as it is.

use std::fmt;

/// A line longer than this is no reply.
const LONGEST_LINE_BYTES: usize = 16 * 1024;
/// Nor are more bytes than these; the features of a server take a few hundred.
pub const LONGEST_REPLY_BYTES: usize = 256 * 1024;
/// What is shown of a line, in characters.
const MOST_SHOWN: usize = 300;
/// What is shown of a reply, in lines.
const MOST_LINES_SHOWN: usize = 5;

/// A reply: three digits, and words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What happened, from 100 to 599.
    pub code: u16,
    /// Every line, with the digits, without its end.
    pub lines: Vec<Vec<u8>>,
}

/// Why what came is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoReply(pub String);

/// Turns the bytes of a control connection into replies.
#[derive(Debug)]
pub struct ReplyReader {
    bytes: Vec<u8>,
    /// Bytes of complete lines that were taken already.
    taken: usize,
    /// The lines of a reply that is not complete.
    lines: Vec<Vec<u8>>,
    held_bytes: usize,
    most_bytes: usize,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            lines: Vec::new(),
            held_bytes: 0,
            most_bytes: LONGEST_REPLY_BYTES,
        }
    }
}

impl Reply {
    /// What it says without the digits, line by line, fit to be shown: one line, bounded, nothing
    /// that a terminal would act on.
    pub fn words(&self) -> String {
        let words = self.lines.iter().take(MOST_LINES_SHOWN).map(|line| shown(line));
        let rest = (self.lines.len() > MOST_LINES_SHOWN).then(|| "…".to_owned());
        words.chain(rest).collect::<Vec<_>>().join(" | ")
    }

    /// Whether some line holds these words; in ASCII, whatever the case.
    pub fn says(&self, words: &str) -> bool {
        let holds = |line: &Vec<u8>| {
            let line = line.to_ascii_lowercase();
            line.windows(words.len()).any(|part| part == words.as_bytes())
        };
        self.lines.iter().any(holds)
    }

    /// What the request was done with: a success, for which it need not be asked again.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.words())
    }
}

/// A server's words, fit to be shown.
pub fn shown(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let mut shown: String = text.trim().chars().take(MOST_SHOWN).flat_map(harmless).collect();
    if text.trim().chars().count() > MOST_SHOWN {
        shown.push('…');
    }
    shown
}

/// A character as it is, or its code where it would do something, or stand the text on its head.
fn harmless(character: char) -> impl Iterator<Item = char> {
    let is_harmful = character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '"' | '\\');
    let escaped = is_harmful.then(|| character.escape_default());
    let plain = (!is_harmful).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

impl ReplyReader {
    /// From now on a reply may have so many bytes.
    pub fn allow(&mut self, most_bytes: usize) {
        self.most_bytes = most_bytes;
    }

    /// Take what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that no reply was made of yet.
    pub fn pending_bytes(&self) -> usize {
        self.bytes.len() - self.taken + self.held_bytes
    }

    /// The next complete reply, if there is one.
    pub fn reply(&mut self) -> Result<Option<Reply>, NoReply> {
        while let Some(line) = self.line()? {
            // Lines without a byte take memory too.
            self.held_bytes += line.len() + size_of::<Vec<u8>>();
            if self.held_bytes > self.most_bytes {
                return Err(NoReply(format!("a reply of more than {} bytes", self.most_bytes)));
            }
            self.lines.push(line);
            if let Some(code) = self.ended()? {
                self.held_bytes = 0;
                return Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }));
            }
        }
        Ok(None)
    }

    /// The code of the reply if its last line came.
    fn ended(&self) -> Result<Option<u16>, NoReply> {
        let (Some(first), Some(last)) = (self.lines.first(), self.lines.last()) else {
            return Ok(None);
        };
        let code = code(first).ok_or_else(|| NoReply(format!("\"{}\"", shown(first))))?;
        let goes_on = first.get(3) == Some(&b'-');
        // In between, lines may hold anything, the code included.
        let is_last = !goes_on || (last.get(..3) == first.get(..3) && ends(last));
        Ok(is_last.then_some(code))
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, NoReply> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        // Counted with all before its end, however much of it came by now.
        if end.unwrap_or(rest.len()) > LONGEST_LINE_BYTES {
            return Err(NoReply(format!("a line of more than {LONGEST_LINE_BYTES} bytes")));
        }
        let Some(line) = end.and_then(|length| rest.get(..length)) else { return Ok(None) };
        self.taken += line.len() + 1;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
    }
}

/// Whether a line can be the last one of a reply.
fn ends(line: &[u8]) -> bool {
    matches!(line.get(3), None | Some(b' '))
}

fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_reply = matches!(line.get(3), None | Some(b' ' | b'-'));
    ((100..600).contains(&code) && is_reply).then_some(code)
}

/// The port of a reply to EPSV or PASV. The address in it is not looked at: a server behind a
/// translator names one that is of no use, and a hostile one names somebody else's.
pub fn port(reply: &Reply) -> Option<u16> {
    let line = reply.lines.last()?;
    let open = line.iter().position(|byte| *byte == b'(');
    let inner = line.get(open? + 1..)?;
    let inner = inner.get(..inner.iter().position(|byte| *byte == b')')?)?;
    let text = std::str::from_utf8(inner).ok()?;
    let port = match reply.code {
        229 => {
            let delimiter = text.chars().next()?;
            text.split(delimiter).nth(3)?.parse().ok()?
        }
        227 => {
            let numbers: Option<Vec<u8>> =
                text.split(',').map(|part| part.trim().parse().ok()).collect();
            match numbers?.as_slice() {
                [_, _, _, _, high, low] => u16::from_be_bytes([*high, *low]),
                _ => return None,
            }
        }
        _ => return None,
    };
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(pieces: &[&str]) -> Result<Vec<Reply>, NoReply> {
        let mut reader = ReplyReader::default();
        let mut found = Vec::new();
        for piece in pieces {
            reader.push(piece.as_bytes());
            while let Some(reply) = reader.reply()? {
                found.push(reply);
            }
        }
        Ok(found)
    }

    fn codes(pieces: &[&str]) -> Vec<u16> {
        replies(pieces).unwrap().iter().map(|reply| reply.code).collect()
    }

    #[test]
    fn replies_are_found_however_their_bytes_come() {
        assert_eq!(codes(&["220 welcome\r\n331 who\r\n"]), [220, 331]);
        assert_eq!(codes(&["2", "20 wel", "come\r", "\n", "226\n"]), [220, 226]);
        assert_eq!(codes(&["220 not the end"]), [] as [u16; 0]);
    }

    #[test]
    fn a_reply_of_many_lines_ends_with_its_own_code_and_a_space() {
        let text = "211-Features\r\n MDTM\r\n211-still\r\n220 not this\r\n211 End\r\n200 ok\r\n";

        let found = replies(&[text]).unwrap();

        assert_eq!((found[0].code, found[0].lines.len()), (211, 5));
        assert_eq!(found[1].code, 200);
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for text in ["SSH-2.0-OpenSSH\r\n", "99 x\r\n", "600 x\r\n", "2200 x\r\n", "\r\n"] {
            assert!(replies(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_that_does_not_end_takes_no_memory() {
        assert!(replies(&["1".repeat(LONGEST_LINE_BYTES + 1).as_str()]).is_err());
        assert!(replies(&["211-\n".repeat(60_000).as_str()]).is_err());
    }

    #[test]
    fn the_longest_line_is_the_same_however_it_comes() {
        for more in 0..3 {
            let line = "226 ".to_owned() + &"x".repeat(LONGEST_LINE_BYTES - 5 + more);

            let whole = replies(&[&(line.clone() + "\r\n")]);

            assert_eq!(replies(&[&(line + "\r"), "\n"]), whole, "{more}");
        }
    }

    #[test]
    fn of_many_lines_few_are_shown() {
        let text = "550-why\r\n".repeat(8_000) + "550 so\r\n";

        let words = replies(&[&text]).unwrap()[0].words();

        assert_eq!(words, "550-why | ".repeat(MOST_LINES_SHOWN) + "…");
    }

    #[test]
    fn words_of_a_server_do_nothing_to_a_terminal() {
        let reply = &replies(&["550 \u{1b}[2J\u{202e}gone \"now\"\r\n"]).unwrap()[0];

        assert_eq!(reply.words(), "550 \\u{1b}[2J\\u{202e}gone \\\"now\\\"");
        assert_eq!(shown("x".repeat(1000).as_bytes()).chars().count(), MOST_SHOWN + 1);
    }

    #[test]
    fn the_port_is_taken_and_nothing_else() {
        let port_of = |text: &str| port(&replies(&[text]).unwrap()[0]);

        assert_eq!(port_of("229 Entering (|||40001|)\r\n"), Some(40001));
        assert_eq!(port_of("227 Entering Passive Mode (10,0,0,1,156,65).\r\n"), Some(40001));
        for wrong in [
            "229 (|||0|)",
            "229 (|||70000|)",
            "229 none",
            "227 (1,2,3)",
            "227 (1,2,3,4,5,256)",
            "200 (|||1|)",
        ] {
            assert_eq!(port_of(&format!("{wrong}\r\n")), None, "{wrong}");
        }
    }
}
