//! Reaching for what a sandbox does not grant.

use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use mogbox_guest::task;

/// Tries files, names, network, environment and input, and answers what it reached.
#[task(name = "hostile.reach_out")]
pub(crate) fn reach_out(address: String) -> Vec<String> {
    let files = ["/etc/passwd", "/proc/self/environ", ".", "/", "../../etc/passwd"];
    let read = files.into_iter().filter(|path| std::fs::metadata(path).is_ok() || std::fs::read(path).is_ok());
    let mut reached: Vec<String> = read.map(ToOwned::to_owned).collect();
    let mut tried = |what: &str, got_through: bool| reached.extend(got_through.then(|| what.to_owned()));
    tried("a file to write", std::fs::write("/tmp/mogbox-hostile", "x").is_ok());
    tried("the folder", std::env::current_dir().is_ok_and(|folder| std::fs::read_dir(folder).is_ok()));
    tried("a connection", TcpStream::connect(&address).is_ok());
    tried("a port", TcpListener::bind("127.0.0.1:0").is_ok());
    tried("a datagram", UdpSocket::bind("127.0.0.1:0").is_ok_and(|socket| socket.send_to(b"x", &address).is_ok()));
    tried("a name", ("localhost", 80).to_socket_addrs().is_ok_and(|mut found| found.next().is_some()));
    tried("an argument", std::env::args().next().is_some());
    tried("a variable", std::env::vars().next().is_some());
    tried("input", std::io::stdin().lines().next().is_some());
    reached
}
