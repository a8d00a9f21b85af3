//! Points in time as servers write them: `20260102030405.678`, RFC 3659, section 2.3.

use super::listing::number;

/// Seconds since 1970, as the server counts them: it may take local time for UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// The moment that was written, its fraction left out: no server was seen to know it.
pub fn moment(text: &[u8]) -> Option<Moment> {
    let whole = text.split(|byte| *byte == b'.').next()?;
    if whole.len() != 14 {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to).and_then(number);
    let number = |from, to| part(from, to).and_then(|value| i8::try_from(value).ok());
    let year = part(0, 4).and_then(|value| i16::try_from(value).ok())?;
    // A leap second counts as the one before it.
    let second = if part(12, 14)? == 60 { 59 } else { number(12, 14)? };
    let date = jiff::civil::Date::new(year, number(4, 6)?, number(6, 8)?).ok()?;
    let time = jiff::civil::Time::new(number(8, 10)?, number(10, 12)?, second, 0).ok()?;
    let zoned = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Moment(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_second() {
        assert_eq!(moment(b"19700101000001"), Some(Moment(1)));
        assert_eq!(moment(b"20260102030405.678"), Some(Moment(1_767_323_045)));
        assert_eq!(moment(b"19691231235959"), Some(Moment(-1)));
        assert_eq!(moment(b"20161231235960"), moment(b"20161231235959"));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026",
            "20261302030405",
            "2026010203040",
            "202601020304056",
            "+0260102030405",
            "20260230000000",
            "2026010224 000",
            "20260102030461",
        ] {
            assert_eq!(moment(text.as_bytes()), None, "{text}");
        }
    }
}
