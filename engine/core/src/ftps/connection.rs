//! A control connection: who is there, what it can do, and one command after the other.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, StreamOwned,
    pki_types::{CertificateDer, ServerName},
};

use super::{
    Class, Fault, Limits, Server,
    greeting::{Greeted, greet, name_of, next_reply, shown_certificate},
    reply::{LONGEST_REPLY_BYTES, Reply, ReplyReader, port, shown},
    session,
    socket::{Socket, TICK},
    trust::pin_of,
};
use crate::control::Control;

/// What bulk questions may be on their way; more fill the buffers of some servers.
const MOST_ASKED: usize = 100;

/// By then a server has said what it decided already.
const SOON: Duration = Duration::from_secs(5);

/// A connection that is encrypted.
pub type Secure = StreamOwned<ClientConnection, Socket>;

/// What a server is like, as one connection shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// How it greets, fit to be shown.
    pub greeting: String,
    /// `TLSv1.3` or `TLSv1.2`.
    pub tls_version: &'static str,
    /// What it says that it knows, in capital letters, fit to be shown.
    pub features: Vec<String>,
    /// The SHA-256 of its public key.
    pub pin: [u8; 32],
    /// Data connections so far.
    pub transfers: u64,
    /// Those that resumed the TLS session of the control connection.
    pub resumed: u64,
}

/// One connection to a server, logged in.
pub struct Connection {
    channel: Secure,
    replies: ReplyReader,
    configuration: Arc<ClientConfig>,
    name: ServerName<'static>,
    peer: IpAddr,
    limits: Limits,
    control: Arc<Control>,
    /// What the server said that it knows, in capital letters, without parameters.
    features: Vec<String>,
    greeting: String,
    transfers: u64,
    resumed: u64,
    /// Its data connections must show the same.
    certificate: CertificateDer<'static>,
    /// The next data connection's port, asked for with the one before.
    pub(super) next_port: Option<u16>,
    /// A server that does not bear to be asked for it then.
    pub(super) asks_ahead: bool,
    /// A server that knows no EPSV.
    knows_pasv_alone: bool,
    /// Whether its listings for people have the folder itself in them.
    pub(super) lists_itself: Option<bool>,
    /// Whether it takes a byte 0xFF that stands twice for one.
    pub(super) doubles: Option<bool>,
    /// From then on, a server that says farewell means this connection and no other.
    is_logged_in: bool,
    /// The beginning of a handshake that the server never read. Its ticket is good once, and a
    /// server gives few of them.
    pub(super) spare: Option<(ClientConnection, Vec<u8>)>,
    /// Where data is decrypted to, one transfer after the other.
    pub(super) buffer: Vec<u8>,
}

impl Connection {
    /// Connect to `address`, where `server` is, and log in.
    pub fn open(
        server: &Server,
        address: IpAddr,
        limits: &Limits,
        control: &Arc<Control>,
    ) -> Result<Self, Fault> {
        let configuration = session::configuration(&server.trust)?;
        let name = name_of(server)?;
        let greeted = greet(server, address, limits, control, &configuration)?;
        let Greeted { channel, greeting, certificate } = greeted;
        let mut connection = Self {
            channel,
            replies: ReplyReader::default(),
            configuration,
            name,
            peer: address,
            limits: limits.clone(),
            control: control.clone(),
            features: Vec::new(),
            greeting: greeting.words(),
            transfers: 0,
            resumed: 0,
            certificate,
            next_port: None,
            asks_ahead: true,
            knows_pasv_alone: false,
            lists_itself: None,
            doubles: None,
            is_logged_in: false,
            spare: None,
            buffer: Vec::new(),
        };
        connection.log_in(server)?;
        connection.prepare()?;
        Ok(connection)
    }

    fn log_in(&mut self, server: &Server) -> Result<(), Fault> {
        let refused = |reply: &Reply| {
            let class = match reply.code {
                400..=499 => Class::Capacity,
                _ => Class::Configuration,
            };
            Fault { class, ..Fault::refused("log in", reply) }
        };
        let reply = self.ask(&[b"USER ", server.user.as_bytes()].concat())?;
        let reply = match reply.code {
            331 => self.ask(&[b"PASS ", server.password.as_bytes()].concat())?,
            _ => reply,
        };
        match reply.code {
            230 | 202 | 232 => {
                self.is_logged_in = true;
                Ok(())
            }
            _ => Err(refused(&reply)),
        }
    }

    /// Have data encrypted, and files come byte for byte.
    fn prepare(&mut self) -> Result<(), Fault> {
        let commands: [&[u8]; 4] = [b"FEAT", b"PBSZ 0", b"PROT P", b"TYPE I"];
        self.send(&commands)?;
        let [features, size, protection, kind] =
            [self.reply()?, self.reply()?, self.reply()?, self.reply()?];
        self.features = features.lines.iter().skip(1).map(|line| feature(line)).collect();
        if !size.is_success() || !protection.is_success() {
            let reply = if size.is_success() { &protection } else { &size };
            let fault = Fault::refused("have files encrypted", reply);
            return Err(Fault { class: Class::Security, ..fault });
        }
        if !kind.is_success() {
            let fault = Fault::refused("get files byte for byte", &kind);
            return Err(Fault { class: Class::Configuration, ..fault });
        }
        if self.knows("UTF8") {
            // Whatever it says: names are bytes here, and a server that refuses sends them too.
            self.ask(b"OPTS UTF8 ON")?;
        }
        Ok(())
    }

    /// From now on `control` says when to stop.
    pub fn attend(&mut self, control: &Arc<Control>) {
        self.control = control.clone();
        self.channel.sock.attend(control);
    }

    /// What the server is like.
    pub fn facts(&self) -> Facts {
        Facts {
            greeting: self.greeting.clone(),
            tls_version: match self.channel.conn.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            features: self.features.iter().map(|feature| shown(feature.as_bytes())).collect(),
            pin: pin_of(&self.certificate).unwrap_or_default(),
            transfers: self.transfers,
            resumed: self.resumed,
        }
    }

    /// A data connection agreed on encryption.
    pub(super) fn count_transfer(&mut self, tls: &ClientConnection) {
        self.transfers += 1;
        self.resumed += u64::from(tls.handshake_kind() == Some(HandshakeKind::Resumed));
    }

    /// Whether the server said that it knows this, in capital letters.
    pub fn knows(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }

    /// Whether it is vsftpd, some ways of which are known; it greets with its name as a rule.
    pub(super) fn is_vsftpd(&self) -> bool {
        self.greeting.contains("(vsFTPd ")
    }

    /// Ask for something, and wait for the reply, whatever it is.
    pub fn ask(&mut self, command: &[u8]) -> Result<Reply, Fault> {
        self.send(&[command])?;
        self.reply()
    }

    /// Ask many things; what is made of each reply, in their order. The replies themselves are
    /// not kept: a server may say much in each.
    pub fn ask_all<T>(
        &mut self,
        commands: &[Vec<u8>],
        understand: impl Fn(&Reply) -> T,
    ) -> Result<Vec<T>, Fault> {
        let mut understood = Vec::with_capacity(commands.len());
        let mut sent = 0;
        while understood.len() < commands.len() {
            // Half as many at a time as may be on their way, so that the way is never empty.
            if sent - understood.len() <= MOST_ASKED / 2 {
                let next = commands.iter().skip(sent).take(MOST_ASKED - (sent - understood.len()));
                let next: Vec<&[u8]> = next.map(Vec::as_slice).collect();
                self.send(&next)?;
                sent += next.len();
            }
            understood.push(understand(&self.reply()?));
        }
        Ok(understood)
    }

    /// Send commands, each in a record of its own: some servers take one record for one command.
    pub(super) fn send(&mut self, commands: &[&[u8]]) -> Result<(), Fault> {
        for command in commands {
            self.write(command)?;
        }
        self.flush()
    }

    /// Send commands in one record: by then the first one has not been answered, and some
    /// servers take no second one from then on.
    pub(super) fn send_together(&mut self, commands: &[&[u8]]) -> Result<(), Fault> {
        self.write(&commands.join(b"\r\n".as_slice()))?;
        self.flush()
    }

    fn write(&mut self, command: &[u8]) -> Result<(), Fault> {
        let mut line = command.to_vec();
        line.extend_from_slice(b"\r\n");
        let written = self.channel.conn.writer().write_all(&line);
        written.map_err(|error| Fault::broken("send a command", &error))
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.channel.sock.begin();
        self.channel.flush().map_err(|error| Fault::broken("send a command", &error))
    }

    /// Wait for the next reply; one that says that the server goes away is a fault.
    pub(super) fn reply(&mut self) -> Result<Reply, Fault> {
        self.channel.sock.begin();
        let reply = next_reply(&mut self.replies, &mut self.channel)?;
        match reply.code {
            421 if self.is_logged_in => Err(Fault::refused("go on", &reply)),
            421 => Err(Fault { class: Class::Capacity, ..Fault::refused("log in", &reply) }),
            _ => Ok(reply),
        }
    }

    /// Where the next data connection goes to: always the machine that the control connection
    /// goes to, whatever address it names.
    pub(super) fn data_address(&mut self) -> Result<SocketAddr, Fault> {
        if let Some(port) = self.next_port.take() {
            return Ok(SocketAddr::new(self.peer, port));
        }
        if !self.knows_pasv_alone {
            let reply = self.ask(b"EPSV")?;
            if let Some(port) = port(&reply) {
                return Ok(SocketAddr::new(self.peer, port));
            }
            if !(500..600).contains(&reply.code) {
                return Err(Fault::refused("open a data connection", &reply));
            }
            self.knows_pasv_alone = true;
        }
        let reply = self.ask(b"PASV")?;
        let port = port(&reply).ok_or_else(|| Fault::refused("open a data connection", &reply))?;
        Ok(SocketAddr::new(self.peer, port))
    }

    /// Ask for no port ahead: the server mixes up the replies.
    pub fn ask_no_more_ahead(&mut self) {
        self.asks_ahead = false;
    }

    /// Whether the server was not seen to mix up replies when it was asked ahead.
    pub fn asks_ahead(&self) -> bool {
        self.asks_ahead
    }

    /// Whether the next port may be asked for together with something else.
    pub(super) fn may_ask_ahead(&self) -> bool {
        self.asks_ahead && !self.knows_pasv_alone && self.next_port.is_none()
    }

    /// A data connection to `address`; nothing is sent there yet.
    pub(super) fn dial(&self, address: SocketAddr) -> Result<Socket, Fault> {
        Socket::connect(address, &self.limits, &self.control).map_err(|error| {
            let class = match error.kind() {
                io::ErrorKind::TimedOut => Class::Silent,
                _ => Class::Stale,
            };
            Fault::new(class, format!("cannot open a data connection: {error}"))
        })
    }

    /// The beginning of a handshake, and its first bytes.
    pub(super) fn begin_handshake(&mut self) -> Result<(ClientConnection, Vec<u8>), Fault> {
        if let Some(spare) = self.spare.take() {
            return Ok(spare);
        }
        let mut tls = ClientConnection::new(self.configuration.clone(), self.name.clone())
            .map_err(|error| super::fault::of_tls(&error))?;
        let mut hello = Vec::new();
        let written = tls.write_tls(&mut hello);
        written.map_err(|error| Fault::broken("agree on encryption", &error))?;
        Ok((tls, hello))
    }

    /// Whoever is at the other end of a data connection is who is at that of this one.
    pub(super) fn recognise(&self, tls: &ClientConnection) -> Result<(), Fault> {
        if shown_certificate(tls)? == self.certificate {
            return Ok(());
        }
        Err(Fault::new(Class::Security, "a data connection showed another certificate"))
    }

    /// The next reply, which may be as long as this.
    pub(super) fn long_reply(&mut self, most_bytes: usize) -> Result<Reply, Fault> {
        self.replies.allow(most_bytes);
        let reply = self.reply();
        self.replies.allow(LONGEST_REPLY_BYTES);
        reply
    }

    /// The next reply, if it is there soon.
    pub(super) fn soon_reply(&mut self) -> Result<Reply, Fault> {
        let usual = self.channel.sock.wait_at_most(SOON.min(self.limits.idle));
        let reply = self.reply();
        self.channel.sock.wait_at_most(usual);
        reply
    }

    /// So many bytes came: wait until they have had their time, where there is a pace to keep.
    pub(super) fn keep_pace(&self, bytes: usize) -> Result<(), Fault> {
        let began = Instant::now();
        let until = began + self.limits.pace.take(bytes, began);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.control.is_ending() {
                return Err(Fault::new(Class::Cancelled, "the run ends"));
            }
            thread::sleep(left.min(TICK));
        }
        Ok(())
    }

    /// How long the server may be silent.
    pub(super) fn idle(&self) -> Duration {
        self.limits.idle
    }

    /// The most bytes that a listing may have.
    pub(super) fn listing_bytes(&self) -> usize {
        self.limits.listing_bytes
    }
}

/// ` MLST size*;modify*;` is `MLST`.
fn feature(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}
