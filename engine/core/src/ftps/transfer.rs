//! Data connections: what is in a file, and what a folder lists.
//!
//! A transfer is whole when the server says so on the control connection and the encryption
//! ended as it should. Neither is proof alone: servers say 226 for what they could not read, and
//! whoever cuts a connection cannot end the encryption.

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use rustls::StreamOwned;

use super::{
    Class, Connection, Fault,
    connection::Secure,
    listing::number,
    moment::{Moment, moment},
    reply::{Reply, port},
};

const BUFFER_BYTES: usize = 64 * 1024;
/// Less than this in the time that a server may be silent is as good as silence.
const LEAST_BYTES: u64 = 16 * 1024;

/// Takes what comes; a fault of its own ends the transfer.
pub type Sink<'sink> = dyn FnMut(&[u8]) -> Result<(), Fault> + 'sink;

/// How a transfer ended that the server calls complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What came.
    pub bytes: u64,
    /// Whether the encryption was ended by the server, so that nothing was cut off.
    pub is_clean: bool,
    /// What the server said in the end.
    pub reply: Reply,
}

impl Connection {
    /// Give `sink` the content of a file, which the caller compares with the size it knows.
    /// `has_more` says that another transfer follows, whose port is asked for at once.
    pub fn retrieve(
        &mut self,
        path: &[u8],
        has_more: bool,
        sink: &mut Sink<'_>,
    ) -> Result<Ending, Fault> {
        let spelled = self.spell(path)?;
        self.transfer(&[b"RETR ", &*spelled].concat(), has_more, sink)
    }

    /// How long files are, in their order; None of what the server does not tell.
    pub fn sizes(&mut self, paths: &[&[u8]]) -> Result<Vec<Option<u64>>, Fault> {
        self.ask_each(b"SIZE ", paths, |reply| told(reply).and_then(number))
    }

    /// When files were last written to, in their order; None of what the server does not tell.
    pub fn moments(&mut self, paths: &[&[u8]]) -> Result<Vec<Option<Moment>>, Fault> {
        self.ask_each(b"MDTM ", paths, |reply| told(reply).and_then(moment))
    }

    /// What the server says of each path; None of one that it cannot be asked for.
    fn ask_each<T>(
        &mut self,
        command: &[u8],
        paths: &[&[u8]],
        understand: impl Fn(&Reply) -> Option<T>,
    ) -> Result<Vec<Option<T>>, Fault> {
        let mut commands = Vec::with_capacity(paths.len());
        let mut are_asked = Vec::with_capacity(paths.len());
        for path in paths {
            let spelled = self.spell(path);
            are_asked.push(spelled.is_ok());
            match spelled {
                Ok(spelled) => commands.push([command, &*spelled].concat()),
                Err(fault) if fault.class == Class::Denied => {}
                Err(fault) => return Err(fault),
            }
        }
        let mut answers = self.ask_all(&commands, understand)?.into_iter();
        let answer = |is_asked: bool| if is_asked { answers.next().flatten() } else { None };
        Ok(are_asked.into_iter().map(answer).collect())
    }

    /// Run a command that moves data.
    pub(super) fn transfer(
        &mut self,
        command: &[u8],
        has_more: bool,
        sink: &mut Sink<'_>,
    ) -> Result<Ending, Fault> {
        let address = self.data_address()?;
        let asks_ahead = has_more && self.may_ask_ahead();
        match asks_ahead {
            true => self.send_together(&[command, b"EPSV"])?,
            false => self.send(&[command])?,
        }
        let mut socket = match self.dial(address) {
            Ok(socket) => socket,
            Err(fault) => return Err(self.not_taken(fault, asks_ahead)?),
        };
        let (tls, hello) = self.begin_handshake()?;
        let greeted = socket.write_all(&hello);
        let began = self.reply()?;
        if !matches!(began.code, 125 | 150) {
            // It never read the greeting, which is good for the next one.
            self.spare = Some((tls, hello));
            return Err(self.refused(&began, asks_ahead)?);
        }
        greeted.map_err(|error| Fault::broken("open a data connection", &error))?;
        let mut channel = StreamOwned::new(tls, socket);
        let taken = self.take(&mut channel, sink);
        channel.sock.begin();
        // Some servers wait for this before they say that the transfer is complete.
        channel.conn.send_close_notify();
        let _ = channel.conn.write_tls(&mut channel.sock);
        drop(channel);
        self.finish(taken, asks_ahead)
    }

    /// Why nobody took a data connection. A server that does not give something closes its port,
    /// and may do so before anybody comes: then it says why.
    fn not_taken(&mut self, fault: Fault, asks_ahead: bool) -> Result<Fault, Fault> {
        match self.soon_reply() {
            Ok(reply) if (500..600).contains(&reply.code) => self.refused(&reply, asks_ahead),
            _ => Ok(fault),
        }
    }

    /// Why a transfer did not begin.
    fn refused(&mut self, reply: &Reply, asks_ahead: bool) -> Result<Fault, Fault> {
        if asks_ahead && reply.code == 229 {
            return Ok(self.mixed_up());
        }
        if reply.is_success() {
            return Ok(Fault::new(
                Class::Stale,
                format!("a transfer was over before it began: {reply}"),
            ));
        }
        if asks_ahead {
            self.take_next_port()?;
        }
        Ok(Fault::refused("read it", reply))
    }

    /// The server answered the second command before the first, or gave up the first for it. It
    /// does not bear to be asked ahead; the next connection knows.
    fn mixed_up(&mut self) -> Fault {
        self.asks_ahead = false;
        Fault::new(Class::Stale, "the server mixed up two commands")
    }

    fn take_next_port(&mut self) -> Result<(), Fault> {
        let reply = self.reply()?;
        self.next_port = port(&reply);
        self.asks_ahead = self.next_port.is_some();
        Ok(())
    }

    /// Take all data; its length, and whether it ended as it should.
    fn take(&mut self, channel: &mut Secure, sink: &mut Sink<'_>) -> Result<(u64, bool), Fault> {
        let broken = |error: io::Error| Fault::broken("read it", &error).on_data();
        channel.sock.begin();
        // vsftpd waits for the end of this direction when it has sent everything, for a round
        // trip. Nothing is sent to it on this connection, and it does not look before.
        let ends_early = self.is_vsftpd();
        agree(channel, ends_early).map_err(broken)?;
        self.recognise(&channel.conn)?;
        self.count_transfer(&channel.conn);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(BUFFER_BYTES, 0);
        let taken = self.pass_on(channel, &mut buffer, sink);
        self.buffer = buffer;
        taken
    }

    /// Give `sink` what comes, a buffer at a time.
    fn pass_on(
        &self,
        channel: &mut Secure,
        buffer: &mut [u8],
        sink: &mut Sink<'_>,
    ) -> Result<(u64, bool), Fault> {
        let mut bytes = 0;
        let mut flow = Flow::new(self.idle());
        loop {
            let (count, is_clean) = fill(buffer, channel, &mut flow)?;
            bytes += count as u64;
            self.keep_pace(count)?;
            sink(buffer.get(..count).unwrap_or_default())?;
            if let Some(is_clean) = is_clean {
                return Ok((bytes, is_clean));
            }
        }
    }

    /// Hear what the server says of a transfer whose data ended.
    fn finish(
        &mut self,
        taken: Result<(u64, bool), Fault>,
        asks_ahead: bool,
    ) -> Result<Ending, Fault> {
        let taken = match taken {
            // Nobody uses the connection any more: what the server says then does not matter.
            Err(fault) if fault.ends_connection() && fault.class != Class::Stale => {
                return Err(fault);
            }
            taken => taken,
        };
        let reply = self.reply()?;
        if asks_ahead && reply.code == 229 {
            return Err(self.mixed_up());
        }
        if asks_ahead {
            self.take_next_port()?;
        }
        match taken {
            // What broke off, the server may explain; what was refused here, it cannot.
            Err(fault) if fault.class != Class::Stale => Err(fault),
            _ if !matches!(reply.code, 226 | 250) => Err(Fault::refused("read it", &reply)),
            Err(fault) => Err(fault),
            Ok((bytes, is_clean)) => Ok(Ending { bytes, is_clean, reply }),
        }
    }
}

/// Agree on encryption; `ends_early` ends this direction with the last words for that, at once.
fn agree(channel: &mut Secure, ends_early: bool) -> io::Result<()> {
    let (tls, socket) = (&mut channel.conn, &mut channel.sock);
    while tls.is_handshaking() {
        if tls.wants_write() {
            tls.write_tls(socket)?;
        } else if tls.read_tls(socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        } else if let Err(error) = tls.process_new_packets() {
            // The server may learn what is wrong, if it still listens.
            let _ = tls.write_tls(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
    if ends_early {
        tls.send_close_notify();
    }
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

/// Fill a buffer as far as there is something to come: whoever takes it is woken each time. Returns
/// how much it is and, at the end, whether the encryption was ended by the server.
fn fill(
    buffer: &mut [u8],
    channel: &mut Secure,
    flow: &mut Flow,
) -> Result<(usize, Option<bool>), Fault> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let began = Instant::now();
        channel.sock.begin();
        match channel.read(rest) {
            Ok(0) => return Ok((filled, Some(true))),
            Ok(count) => {
                flow.note(count as u64, began.elapsed())?;
                filled += count;
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok((filled, Some(false)));
            }
            Err(error) => return Err(Fault::broken("read it", &error)),
        }
    }
    Ok((filled, None))
}

/// How fast data comes, without the time that it takes to be stored.
struct Flow {
    most_waited: Duration,
    waited: Duration,
    bytes: u64,
}

impl Flow {
    /// In so much time of waiting, some must come.
    fn new(most_waited: Duration) -> Self {
        Self { most_waited, waited: Duration::ZERO, bytes: 0 }
    }

    /// So much came after so much time; a fault where that goes on for too long.
    fn note(&mut self, bytes: u64, waited: Duration) -> Result<(), Fault> {
        self.bytes += bytes;
        self.waited += waited;
        if self.bytes >= LEAST_BYTES {
            *self = Self::new(self.most_waited);
        }
        if self.waited <= self.most_waited {
            return Ok(());
        }
        let (bytes, seconds) = (self.bytes, self.waited.as_secs());
        Err(Fault::new(Class::Silent, format!("only {bytes} bytes came in {seconds} seconds")))
    }
}

/// What follows `213 `.
fn told(reply: &Reply) -> Option<&[u8]> {
    let line = reply.lines.first().filter(|_| reply.code == 213)?;
    line.get(4..).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn data_that_comes_a_byte_at_a_time_is_given_up() {
        let mut flow = Flow::new(seconds(60));

        let lasted = (1..1000).find(|_| flow.note(1, seconds(1)).is_err()).unwrap();

        assert_eq!(lasted, 61);
    }

    #[test]
    fn slow_data_comes_to_its_end() {
        let mut flow = Flow::new(seconds(60));

        assert!((0..1000).all(|_| flow.note(LEAST_BYTES / 50, seconds(1)).is_ok()));
    }
}
