//! Whether a file is the one that an earlier snapshot holds, by what a listing tells.

use std::time::Duration;

use rustic_core::{jiff::Timestamp, repofile::Node};
use sha2::{Digest, Sha256};

use crate::ftps::moment::Moment;

/// Times are compared to the second, and clocks are not quite the same.
const UNSURE_SECONDS: i64 = 2;
/// No zone is further ahead of UTC. A server that takes local time for UTC writes it.
const FURTHEST_ZONE_SECONDS: i64 = 14 * 60 * 60;
/// Zones differ by multiples of it, from 12 hours behind to 14 hours ahead of UTC.
const ZONE_STEP_SECONDS: i64 = 15 * 60;
const MOST_SHIFT_SECONDS: i64 = 26 * 60 * 60;
/// How many files have to be shifted alike, and how many of a hundred whose time changed.
const LEAST_SHIFTED: usize = 5;
const LEAST_SHIFTED_PERCENT: usize = 90;

/// What makes a file the same one for this run.
#[derive(Debug, Clone, Copy)]
pub struct Sameness {
    /// When the run began, in seconds since 1970.
    pub now_seconds: i64,
    /// By how much all times of the server moved.
    pub shift_seconds: i64,
    /// How often each file is read anew though nothing about it changed.
    pub reread: Duration,
}

impl Sameness {
    /// Whether what `earlier` holds need not be read again. Its ctime is when it was last read.
    pub fn holds(&self, earlier: &Node, path: &[u8], size_bytes: u64, modified: Moment) -> bool {
        let (Some(then), Some(read_at)) = (earlier.meta.mtime, earlier.meta.ctime) else {
            return false;
        };
        let moved = modified.0 - then.as_second();
        earlier.is_file()
            && earlier.meta.size == size_bytes
            && (moved == 0 || moved == self.shift_seconds)
            && is_settled(modified, read_at)
            && !self.is_due(path, read_at)
    }

    /// Whether a file is to be read anew. Each has its own moment in every period, so that a first
    /// backup does not come back as a whole some weeks later.
    fn is_due(&self, path: &[u8], read_at: Timestamp) -> bool {
        let Ok(period) = i64::try_from(self.reread.as_secs()) else { return false };
        if period == 0 {
            return true;
        }
        let digest: [u8; 32] = Sha256::digest(path).into();
        let [first, second, third, fourth, ..] = digest;
        let phase = i64::from(u32::from_be_bytes([first, second, third, fourth])) % period;
        let turn = |seconds: i64| (seconds + phase).div_euclid(period);
        turn(self.now_seconds) != turn(read_at.as_second())
    }
}

/// Whether a change after the reading would show in the time. One in the same second would not;
/// nor in the hours after it where the server is ahead by as much.
fn is_settled(modified: Moment, read_at: Timestamp) -> bool {
    let ahead = modified.0 - read_at.as_second();
    !(-UNSURE_SECONDS..=FURTHEST_ZONE_SECONDS).contains(&ahead)
}

/// For how long a file was written to too recently to be read, so that a change after the reading
/// shows. The zone that the server takes for UTC does not matter.
pub fn is_fresh_for(modified: Moment, now: Timestamp) -> Option<Duration> {
    let step = ZONE_STEP_SECONDS * 1000;
    let age = (now.as_millisecond() - modified.0.saturating_mul(1000)).rem_euclid(step);
    let left = UNSURE_SECONDS * 1000 - age;
    u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
}

/// By how much the server's times moved as a whole, as they do where it tells local time and a
/// summer begins; 0 where they did not. `moved` are seconds, of files that kept their size.
pub fn shift_seconds(moved: &[i64]) -> i64 {
    let changed: Vec<i64> = moved.iter().copied().filter(|seconds| *seconds != 0).collect();
    let alike = |seconds: i64| changed.iter().filter(|other| **other == seconds).count();
    let Some(most) = changed.iter().copied().max_by_key(|seconds| alike(*seconds)) else {
        return 0;
    };
    let is_zone = most % ZONE_STEP_SECONDS == 0 && most.abs() <= MOST_SHIFT_SECONDS;
    let count = alike(most);
    let is_most = count >= LEAST_SHIFTED && count * 100 >= changed.len() * LEAST_SHIFTED_PERCENT;
    if is_zone && is_most { most } else { 0 }
}

#[cfg(test)]
mod tests {
    use rustic_core::repofile::{Metadata, NodeType};

    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const READ_AT: i64 = 1_800_000_000;

    fn earlier(modified: i64) -> Node {
        let metadata = Metadata {
            size: 5,
            mtime: Some(Timestamp::from_second(modified).unwrap()),
            ctime: Some(Timestamp::from_second(READ_AT).unwrap()),
            ..Metadata::default()
        };
        Node::new_node("name".as_ref(), NodeType::File, metadata)
    }

    fn sameness(days_later: i64, shift_seconds: i64) -> Sameness {
        Sameness {
            now_seconds: READ_AT + days_later * DAY,
            shift_seconds,
            reread: Duration::from_hours(30 * 24),
        }
    }

    fn holds(modified: i64, size_bytes: u64, now: i64, shift_seconds: i64) -> bool {
        // A path that is not due on the first day.
        let path = b"a";
        sameness(0, shift_seconds).holds(&earlier(modified), path, size_bytes, Moment(now))
    }

    #[test]
    fn a_file_is_the_same_by_size_and_second() {
        let old = READ_AT - DAY;

        assert!(holds(old, 5, old, 0));
        assert!(!holds(old, 6, old, 0));
        assert!(!holds(old, 5, old + 1, 0));
        assert!(holds(old, 5, old + 3600, 3600), "all moved by an hour");
        assert!(holds(old, 5, old, 3600), "it was read after they moved");
        assert!(!holds(old, 5, old + 3601, 3600));
    }

    #[test]
    fn what_was_written_while_it_was_read_is_read_again() {
        let kiritimati = 14 * 3600;
        for ahead in [-2, 0, 1, 3600, kiritimati] {
            assert!(!holds(READ_AT + ahead, 5, READ_AT + ahead, 0), "{ahead}");
        }
        assert!(holds(READ_AT - 3, 5, READ_AT - 3, 0));
        let beyond = READ_AT + kiritimati + 1;
        assert!(holds(beyond, 5, beyond, 0), "nobody's clock: it was set so");
    }

    #[test]
    fn without_a_time_of_reading_nothing_is_the_same() {
        let mut node = earlier(READ_AT - DAY);
        node.meta.ctime = None;

        assert!(!sameness(0, 0).holds(&node, b"a", 5, Moment(READ_AT - DAY)));
    }

    #[test]
    fn a_link_of_that_length_is_no_file() {
        let mut node = earlier(READ_AT - DAY);
        node.node_type = NodeType::from_link("other".as_ref());

        assert!(!sameness(0, 0).holds(&node, b"a", 5, Moment(READ_AT - DAY)));
    }

    #[test]
    fn what_is_never_to_be_trusted_is_read_each_time() {
        let always = Sameness { reread: Duration::ZERO, ..sameness(0, 0) };

        assert!(!always.holds(&earlier(READ_AT - DAY), b"a", 5, Moment(READ_AT - DAY)));
    }

    #[test]
    fn each_file_is_read_anew_within_the_period_and_not_all_at_once() {
        let node = earlier(READ_AT - DAY);
        let due = |days| {
            let is_due = |number: &u32| {
                let path = format!("folder/{number}");
                !sameness(days, 0).holds(&node, path.as_bytes(), 5, Moment(READ_AT - DAY))
            };
            (0..3000).filter(is_due).count()
        };

        assert_eq!(due(0), 0);
        for day in 1..30 {
            let today = due(day) - due(day - 1);
            assert!((60..150).contains(&today), "{today} on day {day}");
        }
        assert_eq!(due(30), 3000);
    }

    #[test]
    fn a_file_of_this_second_waits_for_the_next_ones_in_every_zone() {
        let now = Timestamp::from_millisecond(READ_AT * 1000 + 500).unwrap();

        for zone in [0, 3600, -5 * 3600, 45 * 60 + 5 * 3600] {
            let wait = is_fresh_for(Moment(READ_AT + zone), now);
            assert_eq!(wait, Some(Duration::from_millis(1500)), "{zone}");
            assert_eq!(is_fresh_for(Moment(READ_AT + zone - 2), now), None, "{zone}");
        }
    }

    #[test]
    fn times_that_moved_together_are_told_from_changes() {
        assert_eq!(shift_seconds(&[]), 0);
        assert_eq!(shift_seconds(&[3600; 5]), 3600);
        assert_eq!(shift_seconds(&[3600; 4]), 0, "four files may be four changes");
        assert_eq!(shift_seconds(&[3601; 50]), 0, "no zone");
        assert_eq!(shift_seconds(&[27 * 3600; 50]), 0, "no zone is so far");
        let mixed = |shifted: usize, changed: i64| {
            let mut moved = vec![-3600; shifted];
            moved.extend((0..changed).map(|number| 100_001 + number * 7));
            moved.extend([0; 100]);
            shift_seconds(&moved)
        };
        assert_eq!(mixed(45, 5), -3600);
        assert_eq!(mixed(45, 6), 0, "too many changed for themselves");
    }
}
