//! A proxy that does to requests and answers what networks, servers and thieves do.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// The longest that a connection hangs: longer than any deadline of a test.
const HANG: Duration = Duration::from_secs(30);

/// What is done to one exchange.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// The request ends after so many percent of it, and is never answered.
    CutRequest(usize),
    /// The answer ends after so many percent of it.
    CutAnswer(usize),
    /// The server did as it was asked, and nobody learns of it.
    LoseAnswer,
    /// This answer instead of the server's: a status line and headers, and a body.
    Answer(String, String),
    /// No answer.
    Hang,
    /// Half of the answer, then nothing.
    HangInside,
    /// The answer, one byte at a time, with a pause after each.
    Drip(Duration),
    /// The answer with its body changed, and a length that fits.
    Change(fn(Vec<u8>) -> Vec<u8>),
    /// The request with its body changed.
    ChangeRequest(fn(Vec<u8>) -> Vec<u8>),
}

/// What the proxy was asked: `PUT /bucket/key?query`, with its headers in lower case.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: String,
}

/// Says what happens to a request, given how many came before it.
pub type Plan = Box<dyn Fn(&Asked, usize) -> Fault + Send + Sync>;

struct Message {
    head: String,
    body: Vec<u8>,
}

struct Shared {
    server: SocketAddr,
    plan: Mutex<Arc<Plan>>,
    asked: Mutex<Vec<Asked>>,
    is_closed: AtomicBool,
}

/// A proxy in front of a server.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let plan: Plan = Box::new(|_, _| Fault::None);
        let shared = Arc::new(Shared {
            server,
            plan: Mutex::new(Arc::new(plan)),
            asked: Mutex::default(),
            is_closed: AtomicBool::default(),
        });
        let shared_too = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().take_while(|_| !shared_too.is_closed.load(Relaxed)) {
                let of_client = shared_too.clone();
                // A connection that breaks is what the proxy is for.
                thread::spawn(move || client.and_then(|client| serve(&client, &of_client)));
            }
        });
        Self { address, shared }
    }

    /// From now on do this to requests; they are counted from 0 again.
    pub fn plan(&self, plan: impl Fn(&Asked, usize) -> Fault + Send + Sync + 'static) {
        *self.shared.plan.lock().unwrap() = Arc::new(Box::new(plan));
        self.shared.asked.lock().unwrap().clear();
    }

    /// What was asked since the plan was made.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    while let Some(request) = read_message(&mut reader, false)? {
        let line = request.head.lines().next().unwrap_or_default();
        let asked = Asked {
            line: line.trim_end_matches(" HTTP/1.1").to_owned(),
            headers: request.head.to_lowercase(),
        };
        let fault = {
            let mut all = shared.asked.lock().unwrap();
            let plan = shared.plan.lock().unwrap().clone();
            all.push(asked.clone());
            plan(&asked, all.len() - 1)
        };
        if !exchange(client, shared.server, request, fault)? {
            return client.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

/// Answer one request; false when the connection ends with it.
fn exchange(
    mut client: &TcpStream,
    server: SocketAddr,
    mut request: Message,
    fault: Fault,
) -> io::Result<bool> {
    match fault {
        Fault::None => {
            client.write_all(&ask(server, &request, 100)?.bytes())?;
            return Ok(true);
        }
        Fault::CutRequest(percent) => drop(ask(server, &request, percent)),
        Fault::LoseAnswer => drop(ask(server, &request, 100)?),
        Fault::CutAnswer(percent) => {
            let answer = ask(server, &request, 100)?.bytes();
            client.write_all(&answer[..answer.len() * percent / 100])?;
        }
        Fault::Answer(head, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
            client.write_all(&Message { head, body: body.into_bytes() }.bytes())?;
            return Ok(true);
        }
        Fault::Hang => thread::sleep(HANG),
        Fault::HangInside => {
            let answer = ask(server, &request, 100)?.bytes();
            client.write_all(&answer[..answer.len() / 2])?;
            thread::sleep(HANG);
        }
        Fault::Drip(pause) => {
            for byte in ask(server, &request, 100)?.bytes() {
                client.write_all(&[byte])?;
                thread::sleep(pause);
            }
        }
        Fault::Change(change) => {
            let mut answer = ask(server, &request, 100)?;
            answer.body = change(answer.body);
            client.write_all(&answer.with_length().bytes())?;
        }
        Fault::ChangeRequest(change) => {
            request.body = change(request.body);
            client.write_all(&ask(server, &request, 100)?.bytes())?;
        }
    }
    Ok(false)
}

/// The server's answer to the first `percent` of a request.
fn ask(server: SocketAddr, request: &Message, percent: usize) -> io::Result<Message> {
    let mut upstream = TcpStream::connect(server)?;
    let bytes = request.bytes();
    upstream.write_all(&bytes[..bytes.len() * percent / 100])?;
    if percent < 100 {
        upstream.shutdown(Shutdown::Both)?;
    }
    let is_head = request.head.starts_with("HEAD ");
    read_message(&mut BufReader::new(&upstream), is_head)?
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// One message; None where the connection ended before it.
fn read_message(reader: &mut impl BufRead, has_no_body: bool) -> io::Result<Option<Message>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = Vec::new();
    if field("transfer-encoding").is_some_and(|value| value == "chunked") {
        body = read_chunks(reader)?;
        return Ok(Some(Message { head, body }.with_length()));
    }
    let length = field("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    if !has_no_body {
        reader.take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Message { head, body }))
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        reader.take(size).read_to_end(&mut body)?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(body);
        }
    }
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    /// The same with a length that is its body's.
    fn with_length(self) -> Self {
        let is_about_length = |line: &&str| {
            let line = line.to_lowercase();
            line.starts_with("content-length:") || line.starts_with("transfer-encoding:")
        };
        let kept: Vec<_> =
            self.head.trim_end().lines().filter(|line| !is_about_length(line)).collect();
        let head = format!("{}\r\nContent-Length: {}\r\n\r\n", kept.join("\r\n"), self.body.len());
        Self { head, body: self.body }
    }
}
