//! Carries packets between the two ends of a line, each of which arrives a while later.
//!
//! usage: `line MILLISECONDS`, with one end as its stdin and the other one as its stdout
//!
//! The ends are what /dev/net/tun gave to `bench/line.py`, which starts it; one packet is read or
//! written at a time.

use std::{
    env,
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

const MOST_PACKET_BYTES: usize = 65_536;
const SOON: Duration = Duration::from_micros(250);

type Packet = (Instant, Vec<u8>);

/// Take packets as they come.
fn take(mut end: File, delay: Duration, way: &Sender<Packet>) -> io::Result<()> {
    let mut buffer = vec![0; MOST_PACKET_BYTES];
    loop {
        let count = end.read(&mut buffer)?;
        let packet = buffer.get(..count).unwrap_or_default().to_vec();
        if way.send((Instant::now() + delay, packet)).is_err() {
            return Ok(());
        }
    }
}

/// Hand packets over when they are due, or soon will be: to wait for each takes processor time
/// that those at the ends need.
fn give(mut end: File, way: &Receiver<Packet>) -> io::Result<()> {
    for (due, packet) in way {
        let wait = due.saturating_duration_since(Instant::now());
        if wait > SOON {
            thread::sleep(wait);
        }
        end.write_all(&packet)?;
    }
    Ok(())
}

/// Carry packets in one direction, until that fails.
fn carry(
    from: &File,
    to: &File,
    delay: Duration,
) -> io::Result<thread::JoinHandle<io::Result<()>>> {
    let (from, to) = (from.try_clone()?, to.try_clone()?);
    let (sender, receiver) = channel();
    thread::spawn(move || take(from, delay, &sender));
    Ok(thread::spawn(move || give(to, &receiver)))
}

fn main() -> io::Result<()> {
    let one = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let other = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let milliseconds = env::args().nth(1).and_then(|text| text.parse::<f64>().ok());
    let milliseconds = milliseconds.ok_or_else(|| io::Error::other("usage: line MILLISECONDS"))?;
    let delay = Duration::from_secs_f64(milliseconds / 2000.0);
    let directions = [carry(&one, &other, delay)?, carry(&other, &one, delay)?];
    for direction in directions {
        direction.join().map_err(|_| io::Error::other("a direction of the line broke"))??;
    }
    Ok(())
}
