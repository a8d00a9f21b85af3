//! The first words with a server, until nobody else hears them.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, StreamOwned,
    pki_types::{CertificateDer, ServerName},
};

use super::{
    Class, Fault, Limits, Server,
    connection::Secure,
    reply::{Reply, ReplyReader},
    session,
    socket::Socket,
    trust::pin_of,
};
use crate::control::Control;

/// A server that was met, to whom nothing was said yet.
pub struct Greeted {
    pub channel: Secure,
    pub greeting: Reply,
    pub certificate: CertificateDer<'static>,
}

/// The SHA-256 of the public key that whoever is at `address` shows; nobody logs in there.
pub fn see_pin(
    server: &Server,
    address: IpAddr,
    limits: &Limits,
    control: &Arc<Control>,
) -> Result<[u8; 32], Fault> {
    let greeted = greet(server, address, limits, control, &session::unverified()?)?;
    pin_of(&greeted.certificate)
        .ok_or_else(|| Fault::new(Class::Security, "the server's certificate cannot be read"))
}

pub fn name_of(server: &Server) -> Result<ServerName<'static>, Fault> {
    ServerName::try_from(server.host.clone())
        .map_err(|_| Fault::new(Class::Configuration, format!("{} is no name", server.host)))
}

/// Connect, and have the connection encrypted.
pub fn greet(
    server: &Server,
    address: IpAddr,
    limits: &Limits,
    control: &Arc<Control>,
    configuration: &Arc<ClientConfig>,
) -> Result<Greeted, Fault> {
    let place = SocketAddr::new(address, server.port);
    let socket = Socket::connect(place, limits, control).map_err(|error| {
        Fault::new(Class::Unreachable, format!("cannot connect to {server}: {error}"))
    })?;
    let (socket, greeting) = ask_for_encryption(socket)?;
    let tls = ClientConnection::new(configuration.clone(), name_of(server)?)
        .map_err(|error| super::fault::of_tls(&error))?;
    let mut channel = StreamOwned::new(tls, socket);
    // Many questions about long paths are more than it holds by itself.
    channel.conn.set_buffer_limit(None);
    channel.sock.begin();
    while channel.conn.is_handshaking() {
        channel
            .conn
            .complete_io(&mut channel.sock)
            .map_err(|error| Fault::broken("agree on encryption", &error))?;
    }
    let certificate = shown_certificate(&channel.conn)?;
    Ok(Greeted { channel, greeting, certificate })
}

/// Ask for TLS on a connection that is still plain. What follows the answer was put there by
/// somebody in between, to be taken for what was said after it.
fn ask_for_encryption(mut socket: Socket) -> Result<(Socket, Reply), Fault> {
    let mut replies = ReplyReader::default();
    let greeting = next_reply(&mut replies, &mut socket)?;
    if greeting.code != 220 {
        let fault = Fault::refused("connect", &greeting);
        let class = if greeting.code == 421 { Class::Capacity } else { Class::Unreachable };
        return Err(Fault { class, ..fault });
    }
    socket.begin();
    socket.write_all(b"AUTH TLS\r\n").map_err(|error| Fault::broken("ask for TLS", &error))?;
    let reply = next_reply(&mut replies, &mut socket)?;
    if reply.code != 234 {
        let fault = Fault::refused("have the connection encrypted", &reply);
        let class = if reply.code == 421 { Class::Capacity } else { Class::Security };
        return Err(Fault { class, ..fault });
    }
    if replies.pending_bytes() + socket.buffered_bytes() > 0 {
        let message = "somebody sent words of his own after the server agreed to TLS";
        return Err(Fault::new(Class::Security, message));
    }
    Ok((socket, greeting))
}

pub fn next_reply(replies: &mut ReplyReader, channel: &mut impl Read) -> Result<Reply, Fault> {
    let doing = "hear from the server";
    let mut buffer = [0; 4096];
    loop {
        let reply = replies.reply().map_err(|error| Fault::no_reply(doing, &error))?;
        if let Some(reply) = reply {
            return Ok(reply);
        }
        let count = channel.read(&mut buffer).map_err(|error| Fault::broken(doing, &error))?;
        if count == 0 {
            return Err(Fault::broken(doing, &std::io::ErrorKind::UnexpectedEof.into()));
        }
        replies.push(buffer.get(..count).unwrap_or_default());
    }
}

pub fn shown_certificate(tls: &ClientConnection) -> Result<CertificateDer<'static>, Fault> {
    let shown = tls.peer_certificates().and_then(<[_]>::first);
    shown
        .map(|certificate| certificate.clone().into_owned())
        .ok_or_else(|| Fault::new(Class::Security, "the server showed no certificate"))
}
