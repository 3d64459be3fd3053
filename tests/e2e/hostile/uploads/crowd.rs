//! Many uploads at once, good ones and bad ones: each is answered, and nobody else waits for them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use mogbox_fixtures::guest::{ECHO, Guest};
use serde_json::json;

use super::encode::importing;
use crate::hostile::victim::Victim;
use crate::support::Answer;

/// A good guest that differs from all others, so that it has to be compiled.
fn distinct(number: usize) -> Vec<u8> {
    let items = format!("(func $other (result i32) (i32.const {number}))");
    Guest { items: &items, run: ECHO, ..Guest::default() }.build()
}

#[track_caller]
fn is_refused(answer: &Answer) {
    answer.problem(422, "module-refused");
}

#[test]
fn fifty_uploads_at_once_are_all_answered_while_others_work() {
    let victim = Victim::with_defaults();
    victim.while_others_work(|| {
        std::thread::scope(|scope| {
            for number in 0..50 {
                scope.spawn(move || {
                    let api = victim.tenant(&format!("crowd-{}", number % 5));
                    let name = format!("module-{number}");
                    match number % 3 {
                        0 => is_refused(&api.upload(&name, &vec![0xff; 4 << 20])),
                        1 => is_refused(&api.upload(&name, &importing("wasi:io/poll@0.3.0"))),
                        _ => assert_eq!(api.upload(&format!("{name}?dry_run=true"), &distinct(number)).status, 200),
                    }
                });
            }
        });
    });
    assert_eq!(victim.tenant("crowd-2").get("/v1/modules").ok()["modules"], json!([]));
    victim.still_serves("fifty uploads at once");
}

/// Uploads of one tenant that say nothing after their heads, and how those ended that were answered.
struct Flood {
    waiting: Vec<TcpStream>,
    statuses: Vec<u16>,
}

impl Flood {
    fn start(victim: &Victim, uploads: usize) -> Self {
        let head = "PUT /v1/modules/guest?tenant=flood HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
        let silent = |_| {
            let mut stream = TcpStream::connect(victim.url().strip_prefix("http://").unwrap()).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        };
        Self { waiting: (0..uploads).map(silent).collect(), statuses: Vec::new() }
    }

    /// How many have been answered so by now.
    fn answered(&mut self, status: u16) -> usize {
        let (statuses, mut answer) = (&mut self.statuses, [0; 4096]);
        self.waiting.retain_mut(|stream| match stream.read(&mut answer) {
            Ok(length) => {
                statuses.push(String::from_utf8_lossy(&answer[..length]).split(' ').nth(1).unwrap().parse().unwrap());
                false
            }
            Err(_) => true,
        });
        self.statuses.iter().filter(|found| **found == status).count()
    }

    /// Waits until so many have been answered so.
    fn until(&mut self, status: u16, times: usize) {
        let started = Instant::now();
        while self.answered(status) < times {
            assert!(started.elapsed().as_secs() < 60, "not {times} times {status}: {:?}", self.statuses);
            std::thread::yield_now();
        }
    }
}

/// A hundred of a tenant wait for its two turns, which those have that are cut off last of all: the others are neither kept from theirs
/// nor from their connections.
#[test]
fn a_flood_of_silent_uploads_is_refused_or_cut_off_and_keeps_no_other_tenant_from_uploading() {
    let victim = Victim::with_defaults();
    victim.while_others_work(|| {
        let mut flood = Flood::start(victim, 150);
        flood.until(503, 50);
        let beside = victim.tenant("beside");
        beside.upload("guest", &Guest::default().build()).ok();
        assert_eq!(flood.answered(408), 0, "the others waited until it was cut off");
        flood.until(408, 1);
        assert_eq!(flood.answered(503), 50);
    });
    victim.still_serves("a flood of uploads");
}
