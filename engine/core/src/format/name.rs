//! Names of nodes: from the format's escapes (Go's `strconv.Quote`) to bytes, and which are unsafe.

/// The bytes of a name, or None when an escape cannot be read.
pub fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, escape)) = rest.split_once('\\') {
        name.extend_from_slice(plain.as_bytes());
        rest = unescape_one(escape, &mut name)?;
    }
    name.extend_from_slice(rest.as_bytes());
    Some(name)
}

/// Read the one escape that `text` begins with, after its backslash; returns what follows it.
fn unescape_one<'a>(text: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    let mut characters = text.chars();
    let letter = characters.next()?;
    let rest = characters.as_str();
    let byte = match letter {
        '\\' | '"' | '\'' | '`' => u8::try_from(letter).ok()?,
        'a' => 0x07,
        'b' => 0x08,
        't' => b'\t',
        'n' => b'\n',
        'v' => 0x0b,
        'f' => 0x0c,
        'r' => b'\r',
        'x' => {
            return hex_digits(rest, 2).map(|(value, rest)| {
                name.extend_from_slice(value.to_be_bytes().get(3..).unwrap_or_default());
                rest
            });
        }
        'u' => return push_character(hex_digits(rest, 4)?, name),
        'U' => return push_character(hex_digits(rest, 8)?, name),
        _ => return None,
    };
    name.push(byte);
    Some(rest)
}

fn hex_digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    // from_str_radix would take a sign as well.
    let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all_hex.then(|| u32::from_str_radix(digits, 16).ok().map(|value| (value, rest))).flatten()
}

fn push_character<'a>((value, rest): (u32, &'a str), name: &mut Vec<u8>) -> Option<&'a str> {
    let character = char::from_u32(value)?;
    name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

/// Why no file may have this name, or None when it may.
pub fn danger(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" => Some("its name is empty"),
        b"." | b".." => Some("its name means another folder"),
        _ if name.contains(&b'/') => Some("its name holds a slash"),
        _ if name.contains(&0) => Some("its name holds a NUL"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_read() {
        let cases: [(&str, &[u8]); 9] = [
            ("plain é", "plain é".as_bytes()),
            (r#"\\ \" \' \`"#, br#"\ " ' `"#),
            (r"\a\b\t\n\v\f\r", b"\x07\x08\t\n\x0b\x0c\r"),
            (r"\xff\xFEx", b"\xff\xfex"),
            (r"\x00", b"\0"),
            (r"\u00df", "ß".as_bytes()),
            (r"\U0001f4af", "💯".as_bytes()),
            (r"a\\x41", br"a\x41"),
            ("", b""),
        ];
        for (escaped, name) in cases {
            assert_eq!(unescape(escaped).unwrap(), name, "{escaped}");
        }
    }

    #[test]
    fn broken_escapes_are_refused() {
        for escaped in
            [r"\", r"\q", r"\x", r"\x4", r"\x+4", r"\xé", r"\u12", r"\ud800", r"\U00110000"]
        {
            assert_eq!(unescape(escaped), None, "{escaped}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_dangerous() {
        for name in [b"".as_slice(), b".", b"..", b"a/b", b"/abs", b"../x", b"a\0b"] {
            assert!(danger(name).is_some(), "{name:?}");
        }
        for name in [b"a".as_slice(), b"...", b" ", b"\xff", b"-rf", b".hidden"] {
            assert!(danger(name).is_none(), "{name:?}");
        }
    }
}
