//! One thing done with one hostile repository: in time and in bounded memory.

use std::{fs, sync::mpsc, thread, time::Duration};

/// Seconds on a machine that has nothing else to do.
const DEADLINE: Duration = Duration::from_mins(5);
const MOST_BYTES: u64 = 300 << 20;

/// Do `work`. What takes too long ends the whole test, because nothing can end a thread.
pub fn cell<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{name}: not done after {DEADLINE:?}");
                std::process::abort();
            }
        });
        let before = status("VmRSS:");
        // Begins to measure the peak anew.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let result = work();
        let taken = status("VmHWM:").saturating_sub(before);
        println!("{name}: {} MiB", taken >> 20);
        assert!(taken <= MOST_BYTES, "{name}: took {} MiB", taken >> 20);
        drop(done);
        result
    })
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
