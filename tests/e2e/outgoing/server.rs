//! A small HTTP server whose paths say how it answers, and which remembers who asked.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// A server of one test. Its threads end with the test process.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: usize,
    now: usize,
    most: usize,
    released: bool,
    hung_up: Vec<String>,
}

impl Server {
    /// A server on a free port of this machine.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Seen>::default());
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.seen.state.lock().unwrap().requests
    }

    /// The most requests that it had at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.seen.state.lock().unwrap().most
    }

    /// Waits until so many requests have come.
    pub(crate) fn wait_for(&self, requests: usize) {
        self.seen.wait(|state| state.requests >= requests);
    }

    /// Lets those at `/held` be answered.
    pub(crate) fn release(&self) {
        self.seen.change(|state| state.released = true);
    }

    /// Waits until somebody who asked for this path has hung up.
    pub(crate) fn hung_up(&self, path: &str) {
        self.seen.wait(|state| state.hung_up.iter().any(|gone| gone == path));
    }
}

impl Seen {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait(&self, fits: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let patience = std::time::Duration::from_secs(60);
        let (state, waited) = self.changed.wait_timeout_while(state, patience, |state| !fits(state)).unwrap();
        drop(state);
        assert!(!waited.timed_out(), "not after 60 s");
    }
}

fn serve(mut stream: TcpStream, seen: &Seen) {
    let Some(heard) = read(&mut stream) else { return };
    let path = heard.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.change(|state| {
        (state.requests, state.now) = (state.requests + 1, state.now + 1);
        state.most = state.most.max(state.now);
    });
    if path.starts_with("/held") {
        seen.wait(|state| state.released);
    }
    // Counted as gone before it is answered, so that one who comes after the answer is not counted beside it.
    seen.change(|state| state.now -= 1);
    // Those who hang up early are what some tests are about.
    let _ = answer(&mut stream, &path, &heard);
    if path == "/never" {
        let _ = stream.read(&mut [0]);
        seen.change(|state| state.hung_up.push(path));
    }
}

/// Head and body of a request.
fn read(stream: &mut TcpStream) -> Option<String> {
    let (mut heard, mut piece) = (Vec::new(), [0; 16 << 10]);
    loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        heard.extend_from_slice(&piece[..read]);
        let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&heard[..end]).into_owned();
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap_or(0);
        if heard.len() >= end + 4 + length {
            return String::from_utf8(heard).ok();
        }
    }
}

fn answer(stream: &mut TcpStream, path: &str, heard: &str) -> std::io::Result<()> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        "/never" => Ok(()),
        "/redirect" => write!(stream, "HTTP/1.1 302 Found\r\nlocation: {query}\r\ncontent-length: 0\r\n\r\n"),
        "/large" => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n{}", "x".repeat(1 << 20)),
        "/chunked" => {
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            (0..10_000).try_for_each(|_| write!(stream, "3\r\nabc\r\n"))?;
            write!(stream, "0\r\n\r\n")
        }
        "/endless-body" => endless(stream, "HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxx"),
        "/endless-headers" => endless(stream, "HTTP/1.1 200 OK\r\n", "x-header: value\r\n"),
        "/drip" => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nx")?;
            // Until the other side hangs up.
            stream.read(&mut [0]).map(drop)
        }
        "/echo" => {
            let length = heard.len();
            write!(stream, "HTTP/1.1 200 OK\r\nx-server: test\r\ncontent-length: {length}\r\n\r\n{heard}")
        }
        _ => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    }
}

fn endless(stream: &mut TcpStream, begin: &str, piece: &str) -> std::io::Result<()> {
    stream.write_all(begin.as_bytes())?;
    let many = piece.repeat(1_000);
    loop {
        stream.write_all(many.as_bytes())?;
    }
}
