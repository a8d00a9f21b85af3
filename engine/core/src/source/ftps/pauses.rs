//! Waiting for a server that may be there later.

use std::{
    thread,
    time::{Duration, Instant},
};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);
/// How often who waits looks whether there is still something to wait for.
const TICK: Duration = Duration::from_millis(100);

/// How long to wait from one try to the next: twice as long each time.
#[derive(Debug, Default)]
pub struct Pauses(Option<Duration>);

impl Pauses {
    /// How long now.
    pub fn next(&mut self) -> Duration {
        let pause = self.0.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.0 = Some(pause);
        pause
    }
}

/// Wait, unless there is no use in it any more.
pub fn rest(pause: Duration, is_over: impl Fn() -> bool) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !is_over() {
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        let mut pauses = Pauses::default();

        let waited: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();

        assert_eq!(waited, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
    }
}
