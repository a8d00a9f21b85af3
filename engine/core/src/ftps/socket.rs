//! A socket that waits no longer than it may, and for nobody once the run ends.

use std::{
    io::{self, BufReader, IoSlice, Read, Write},
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
pub(super) const TICK: Duration = Duration::from_millis(200);
/// TLS reads 4 KiB at a time; a system call for each would take as long as everything else.
const BUFFER_BYTES: usize = 64 * 1024;

/// A connection to the server.
pub struct Socket {
    reader: BufReader<TcpStream>,
    idle: Duration,
    /// When what is waited for was begun.
    began: Instant,
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
        let (idle, began) = (limits.idle, Instant::now());
        Ok(Self { reader, idle, began, control: control.clone() })
    }

    /// Something new is waited for: a reply, a handshake, or the next of what is encrypted. It may
    /// take as long as the server may be silent, so that one that sends a byte now and then, or
    /// what is nothing once it is decrypted, holds nobody up.
    pub fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// From now on the server may be silent for so long; returns for how long it might before.
    pub fn wait_at_most(&mut self, idle: Duration) -> Duration {
        std::mem::replace(&mut self.idle, idle)
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
        loop {
            if self.control.is_ending() {
                return Err(Fault::new(Class::Cancelled, "the run ends").into());
            }
            if self.began.elapsed() > self.idle {
                let seconds = self.idle.as_secs();
                let message = format!("the server said nothing for {seconds} seconds");
                return Err(Fault::new(Class::Silent, message).into());
            }
            match attempt(&mut self.reader) {
                Err(error) if is_wait(&error) => {}
                result => return result,
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

    /// Many records, and a handshake has several, are one call of the system.
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.patiently(|reader| reader.get_mut().write_vectored(buffers))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A socket to a server that says a byte every 20 milliseconds, as long as anybody listens.
    fn to_a_slow_server() -> Socket {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            while client.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let limits = Limits { idle: Duration::from_millis(500), ..Limits::default() };
        Socket::connect(address, &limits, &Arc::default()).unwrap()
    }

    #[test]
    fn a_byte_now_and_then_is_not_waited_for_without_end() {
        let mut socket = to_a_slow_server();
        let began = Instant::now();

        let error = loop {
            assert!(began.elapsed() < Duration::from_secs(20), "nothing ends it");
            if let Err(error) = socket.read(&mut [0]) {
                break error;
            }
        };

        assert!(error.to_string().contains("said nothing"), "{error}");
    }

    #[test]
    fn what_is_new_may_take_its_own_time() {
        let mut socket = to_a_slow_server();
        let began = Instant::now();

        while began.elapsed() < Duration::from_secs(1) {
            socket.begin();
            socket.read_exact(&mut [0]).unwrap();
        }
    }

    #[test]
    fn a_server_that_goes_on_and_on_does_not_keep_a_run_from_its_end() {
        let mut socket = to_a_slow_server();
        socket.read_exact(&mut [0]).unwrap();

        socket.control.cancel();

        let ended = socket.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(ended.to_string(), "the run ends");
    }
}
