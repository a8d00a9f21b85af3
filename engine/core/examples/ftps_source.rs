//! Reads a folder of an FTPS server as a backup does, and throws away what comes.
//!
//! usage: `cargo run --release --example ftps_source -- read|list PORT USER AUTHORITIES PATH [CONNECTIONS]`
//!
//! The server is on this machine; the password stands in the environment as `FTPS_PASSWORD`, and
//! AUTHORITIES is a PEM file. `list` opens no file. Prints how many entries and bytes there were.

use std::{env, fs, sync::Arc};

use unstoppable_engine_core::{
    control::Control,
    error::{Error, ErrorKind, Result},
    ftps::{Limits, Server, Trust},
    source::{
        Source, SourceFile, SourceReader,
        ftps::{Bounds, FtpsPlace, FtpsSource, USUAL_REREAD},
    },
};

const BUFFER_BYTES: usize = 1 << 20;

fn usage() -> Error {
    let usage = "ftps_source read|list PORT USER AUTHORITIES PATH [CONNECTIONS]";
    Error::new(ErrorKind::InvalidInput, usage)
}

fn failed(doing: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::SourceUnavailable, format!("cannot {doing}: {why}"))
}

/// What the arguments say, and whether files are read.
fn place() -> Result<(FtpsPlace, bool)> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, port, user, authorities, path, rest @ ..] = arguments.as_slice() else {
        return Err(usage());
    };
    let authorities =
        fs::read(authorities).map_err(|error| failed("read the authorities", error))?;
    let password =
        env::var("FTPS_PASSWORD").map_err(|error| failed("read FTPS_PASSWORD", error))?;
    let server = Server {
        host: "127.0.0.1".into(),
        port: port.parse().map_err(|_| usage())?,
        user: user.clone(),
        password: password.into(),
        trust: Trust::Authorities(authorities),
        allows_private: false,
    };
    let most_connections = rest.first().map_or(Ok(8), |most| most.parse()).map_err(|_| usage())?;
    let reads = match what.as_str() {
        "read" => true,
        "list" => false,
        _ => return Err(usage()),
    };
    let path = path.clone().into_bytes();
    let (reread, limits, bounds) = (USUAL_REREAD, Limits::default(), Bounds::default());
    Ok((FtpsPlace { server, path, most_connections, reread, limits, bounds }, reads))
}

fn drain(file: impl SourceFile, buffer: &mut [u8]) -> Result<u64> {
    let mut reader = file.open().map_err(|failure| failed("open a file", failure.message))?;
    let mut bytes = 0;
    loop {
        match reader.read(buffer).map_err(|error| failed("read a file", error))? {
            0 => return Ok(bytes),
            count => bytes += count as u64,
        }
    }
}

fn main() -> Result<()> {
    let (place, reads) = place()?;
    let source = FtpsSource::open(&place, &[], "source", Arc::new(Control::default()))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut entries, mut bytes) = (0_u64, 0);
    for entry in source.entries() {
        let entry = entry.map_err(|issue| failed("list a folder", issue.message))?;
        entries += 1;
        if let Some(file) = entry.file.filter(|_| reads) {
            bytes += drain(file, &mut buffer)?;
        }
    }
    if let Some(why) = source.lost() {
        return Err(failed("read the source", why));
    }
    println!("{entries} entries, {bytes} bytes");
    Ok(())
}
