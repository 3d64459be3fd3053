//! The client against servers of the test, on a network where names stand for what the test says.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use mogbox_core::outgoing::{Target, Waits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::turns::Turn;
use super::*;

/// Answers with one address after the other, and leads to one server whatever the address.
struct Given {
    answers: Mutex<VecDeque<&'static str>>,
    opened: Mutex<Vec<SocketAddr>>,
    server: SocketAddr,
}

#[async_trait]
impl Network for Given {
    async fn resolve(&self, _: &str, port: u16, _: Arc<Turn>) -> io::Result<Vec<SocketAddr>> {
        let addresses = self.answers.lock().unwrap().pop_front().expect("the name is resolved once more than it should be");
        Ok(addresses.split(' ').map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.opened.lock().unwrap().push(address);
        TcpStream::connect(self.server).await
    }
}

/// A server that reads one request, then says this and closes.
async fn server(says: Vec<u8>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
            stream.read_buf(&mut heard).await.unwrap();
        }
        // The client may have hung up by then.
        let _ = stream.write_all(&says).await;
        String::from_utf8(heard).unwrap()
    });
    (address, serving)
}

fn client(server: SocketAddr, answers: &[&'static str]) -> (HttpClient, Arc<Given>) {
    let network = Arc::new(Given { answers: Mutex::new(answers.iter().copied().collect()), opened: Mutex::default(), server });
    (HttpClient { network: Arc::clone(&network) as _, tls: Tls::default(), turns: Turns::default() }, network)
}

fn get(authority: &str) -> OutgoingRequest {
    let target = Target::parse(Some("http"), authority, "/path?q=1").unwrap();
    let headers = vec![("accept".to_owned(), b"*/*".to_vec())];
    OutgoingRequest { method: "GET".into(), target, headers, body: Vec::new(), waits: Waits::default() }
}

const BOUNDS: FetchBounds = FetchBounds { private: false, answer: 10_000, time: Duration::from_secs(30), concurrency: 4 };

async fn fetch(client: &HttpClient, request: OutgoingRequest) -> Result<OutgoingResponse, FetchError> {
    client.fetch(&Tenant::default(), request, BOUNDS).await
}

/// The error where a server says this.
async fn error(says: &[u8]) -> FetchError {
    let (address, _serving) = server(says.to_vec()).await;
    fetch(&client(address, &["8.8.8.8"]).0, get("a.example")).await.unwrap_err()
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_address_that_was_checked_is_the_one_connected_to() {
    let (address, serving) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nhi".to_vec()).await;
    let (client, network) = client(address, &["8.8.8.8", "127.0.0.1"]);
    let answer = fetch(&client, get("rebinds.example:8080")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hi".as_slice()));
    assert!(answer.headers.contains(&("x-a".into(), b"b".to_vec())), "{:?}", answer.headers);
    let heard = serving.await.unwrap();
    assert!(heard.starts_with("GET /path?q=1 HTTP/1.1\r\n") && heard.contains("host: rebinds.example:8080\r\n"), "{heard}");
    let refused = fetch(&client, get("rebinds.example:8080")).await.unwrap_err();
    assert!(matches!(&refused, FetchError::Denied(text) if text.contains("rebinds.example") && text.contains("loopback")), "{refused}");
    assert!(!refused.to_string().contains("127.0.0.1"), "what a name stands for inside is told to nobody: {refused}");
    assert_eq!(*network.opened.lock().unwrap(), ["8.8.8.8:8080".parse().unwrap()]);
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_reached_are() {
    let (address, _serving) = server(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let (client, network) = client(address, &["10.0.0.1 ::1 9.9.9.9 fd00::1"]);
    assert_eq!(fetch(&client, get("mixed.example")).await.unwrap().status, 204);
    assert_eq!(*network.opened.lock().unwrap(), ["9.9.9.9:80".parse().unwrap()]);
}

#[tokio::test]
async fn an_address_that_is_written_out_is_checked_without_a_name() {
    let (client, network) = client((Ipv4Addr::LOCALHOST, 9).into(), &[]);
    for literal in ["127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254", "[fd00::1]", "[::1]", "0.0.0.0", "0"] {
        let error = fetch(&client, get(literal)).await.unwrap_err().to_string();
        assert!(error.starts_with("denied") && error.contains("an operator can allow it"), "{literal}: {error}");
    }
    assert!(network.opened.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rule_for_private_addresses_reaches_them() {
    let (address, _serving) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (client, _) = client(address, &["127.0.0.1"]);
    let bounds = FetchBounds { private: true, ..BOUNDS };
    assert_eq!(client.fetch(&Tenant::default(), get("inside.example"), bounds).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_answer_over_its_bound_is_given_up() {
    let announced = error(b"HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n").await;
    assert_eq!(announced, FetchError::OverBound("the answer has more than 10000 bytes".into()));
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    assert!(matches!(error(&endless).await, FetchError::OverBound(_)));
    let headers: String = (0..100_000).map(|number| format!("x-{number}: y\r\n")).collect();
    assert!(matches!(error(format!("HTTP/1.1 200 OK\r\n{headers}").as_bytes()).await, FetchError::Failed(_)), "endless headers");
    let one = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20));
    assert!(matches!(error(one.as_bytes()).await, FetchError::Failed(_)), "one endless header");
}

#[tokio::test]
async fn what_is_no_whole_answer_is_a_failure() {
    for says in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ] {
        let error = error(says.as_bytes()).await;
        assert!(matches!(&error, FetchError::Failed(text) if text.contains("a.example")), "{says:?}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let (address, _serving) = server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (client, network) = client(address, &["8.8.8.8"]);
    let answer = fetch(&client, get("a.example")).await.unwrap();
    assert_eq!(answer.status, 302);
    assert!(answer.headers.contains(&("location".into(), b"http://127.0.0.1/".to_vec())));
    assert_eq!(network.opened.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_guest_may_wait_for_less_than_its_bound() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (client, _) = client(silent.local_addr().unwrap(), &["8.8.8.8"]);
    let waits = Waits { first_byte: Some(Duration::from_millis(20)), ..Waits::default() };
    let late = fetch(&client, OutgoingRequest { waits, ..get("a.example") }).await.unwrap_err();
    assert!(matches!(&late, FetchError::Timeout(text) if text.contains("20ms")), "{late}");
}
