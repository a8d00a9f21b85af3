//! How long to wait before a request is made again.

use std::time::Duration;

/// What is waited after the first attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// What is waited at most, unless the server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How long to wait before attempt number `next`, counted from 1: twice as long each time, and
/// never the same for all who were refused at one moment.
pub fn pause(next: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << next.saturating_sub(1).min(16));
    let longest = longest.min(LONGEST_PAUSE);
    let mut random = [0; 2];
    // Without a random number all wait for the longest time, which harms nobody.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX),
        Err(_) => 1.0,
    };
    longest.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_differ_and_end_growing() {
        for (next, least, most) in
            [(1, 100, 200), (2, 200, 400), (4, 800, 1600), (99, 10_000, 20_000)]
        {
            let pauses: Vec<_> = (0..50).map(|_| pause(next).as_millis()).collect();
            assert!(pauses.iter().all(|pause| (least..=most).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
