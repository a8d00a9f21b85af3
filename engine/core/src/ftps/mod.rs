//! A client of FTPS: explicit TLS on both channels, passive, names as bytes.
//!
//! The server is hostile until shown otherwise. Nothing it says moves a connection to another
//! machine, makes one plain, or takes more memory or time than the limits say; its words are
//! escaped wherever they are shown. It blocks: each connection is one thread's.

mod connection;
mod fault;
mod folder;
mod greeting;
pub mod listing;
pub mod moment;
pub mod path;
pub mod reply;
mod session;
mod socket;
mod spelling;
mod status;
mod transfer;
mod trust;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use zeroize::Zeroizing;

pub use self::{
    connection::{Connection, Facts},
    fault::{Class, Fault},
    greeting::see_pin,
    transfer::{Ending, Sink},
    trust::Trust,
};

use crate::pace::Pace;

/// A server, who one is there, and why it is believed.
#[derive(Clone)]
pub struct Server {
    /// Its name or address, as it was written; its certificate must hold it.
    pub host: String,
    /// 21 as a rule.
    pub port: u16,
    /// Who one is there.
    pub user: String,
    /// Kept in memory alone.
    pub password: Zeroizing<String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Whether its name may lead to this machine or to a private network.
    pub allows_private: bool,
}

/// How long a server may take, and how much it may say.
#[derive(Debug, Clone)]
pub struct Limits {
    /// To open a connection.
    pub connect: Duration,
    /// Without a byte.
    pub idle: Duration,
    /// To be there again, once it does nothing that it is asked.
    pub patience: Duration,
    /// Of one folder.
    pub listing_bytes: usize,
    /// How fast what files and folders hold may come, over all connections together.
    pub pace: Arc<Pace>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            idle: Duration::from_mins(1),
            patience: Duration::from_mins(10),
            listing_bytes: 256 * 1024 * 1024,
            pace: Arc::default(),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "ftps://{}@[{}]:{}", self.user, self.host, self.port),
            false => write!(formatter, "ftps://{}@{}:{}", self.user, self.host, self.port),
        }
    }
}

impl Server {
    /// Where it is, found once for a whole run: whoever answers for its name must not be able to
    /// lead one connection here and the next one there.
    pub fn locate(&self) -> Result<IpAddr, Fault> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(address); // the operator's own word
        }
        let failed = |what: String| Fault::new(Class::Configuration, what);
        let found = (self.host.as_str(), self.port).to_socket_addrs().map_err(|error| {
            Fault::new(Class::Unreachable, format!("the name {} leads nowhere: {error}", self.host))
        })?;
        let addresses: Vec<IpAddr> = found.map(|address: SocketAddr| address.ip()).collect();
        if !self.allows_private
            && let Some(private) = addresses.iter().find(|address| is_private(**address))
        {
            return Err(failed(format!(
                "{} leads to {private}, which is not on the internet",
                self.host
            )));
        }
        // Servers that have both speak the older one for sure.
        let older = addresses.iter().find(|address| address.is_ipv4());
        older
            .or(addresses.first())
            .copied()
            .ok_or_else(|| failed(format!("{} leads nowhere", self.host)))
    }
}

/// An address of this machine, of a local network, or of nobody.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || first == 0
                // Shared by the customers of one provider, RFC 6598.
                || (first == 100 && (64..128).contains(&second))
                // Nobody's: RFC 6890 and 2544.
                || (first, second, third) == (192, 0, 0)
                || (first == 198 && (18..20).contains(&second))
                || first >= 240
        }
        IpAddr::V6(address) => match within(address) {
            Some(within) => is_private(IpAddr::V4(within)),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
                    // What local addresses were once, and translators of the local network.
                    || address.segments()[0] & 0xffc0 == 0xfec0
                    || address.segments().starts_with(&[0x64, 0xff9b, 1])
            }
        },
    }
}

/// The older address that a newer one leads to.
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // As what it is, without a mark (`::1` is no such address), and through translators.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0, 0, 0, 0, 0, 0, high, low] if high > 0 => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, allows_private: bool) -> Server {
        Server {
            host: host.into(),
            port: 21,
            user: "alice".into(),
            password: Zeroizing::new("the secret".into()),
            trust: Trust::System,
            allows_private,
        }
    }

    #[test]
    fn a_name_that_leads_to_a_private_network_is_refused_unless_it_may() {
        assert_eq!(server("localhost", false).locate().unwrap_err().class, Class::Configuration);
        assert!(server("localhost", true).locate().unwrap().is_loopback());
        assert!(server("127.0.0.1", false).locate().unwrap().is_loopback(), "the operator's word");
    }

    #[test]
    fn private_addresses_are_known() {
        for address in [
            "10.1.2.3",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "224.0.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "240.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:a00:1::1",
            "fec0::1",
        ] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in
            ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:4860:4860::8888", "64:ff9b::808:808"]
        {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", server("::1", false)), "ftps://alice@[::1]:21");
    }
}
