//! A socket that waits no longer than it may, and for nobody once the run ends.

use std::{
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Limits,
    fault::{Class, Fault},
};
use crate::control::Control;

/// How often a wait looks whether the run ends.
const TICK: Duration = Duration::from_millis(200);
/// TLS reads 4 KiB at a time; a system call for each would take as long as everything else.
const BUFFER_BYTES: usize = 64 * 1024;

/// A connection to the server.
pub struct Socket {
    reader: BufReader<TcpStream>,
    idle: Duration,
    control: Arc<Control>,
}

impl Socket {
    /// Connect, within the time for that.
    pub fn connect(
        address: SocketAddr,
        limits: &Limits,
        control: &Arc<Control>,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, limits.connect)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, stream);
        Ok(Self { reader, idle: limits.idle, control: control.clone() })
    }

    /// From now on `control` says when to stop.
    pub fn attend(&mut self, control: &Arc<Control>) {
        self.control = control.clone();
    }

    /// Bytes that came and that nobody took yet.
    pub fn buffered_bytes(&self) -> usize {
        self.reader.buffer().len()
    }

    /// Try until it is done, the server takes too long, or the run ends.
    fn patiently<T>(
        &mut self,
        mut attempt: impl FnMut(&mut BufReader<TcpStream>) -> io::Result<T>,
    ) -> io::Result<T> {
        let began = Instant::now();
        loop {
            match attempt(&mut self.reader) {
                Err(error) if is_wait(&error) => {}
                result => return result,
            }
            if self.control.is_ending() {
                return Err(Fault::new(Class::Cancelled, "the run ends").into());
            }
            if began.elapsed() > self.idle {
                let seconds = self.idle.as_secs();
                let message = format!("the server said nothing for {seconds} seconds");
                return Err(Fault::new(Class::Stale, message).into());
            }
        }
    }
}

fn is_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(|reader| reader.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|reader| reader.get_mut().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
