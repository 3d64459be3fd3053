//! The nodes that hostile guests run on: each has a cap on its memory, an honest tenant, and as many hostile ones as there are.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use mogbox_fixtures::guest::Guest;
use serde_json::{Value, json};

use crate::support::{Api, MemoryCap, Node, guests};

/// Memory that a victim may hold beyond what it held idle: four guests of 64 MiB at once, and as much again for all else.
const CAP: u64 = 512 << 20;

/// What a module is told whose describe computes for ever: on a busy machine its wall time may be over first.
pub(super) const OUT_OF_TIME: [&str; 2] = [
    "its describe went over the bound cpu-time of 1s, which is fixed for describe",
    "its describe went over the bound wall-time of 2s, which is fixed for describe",
];

/// The tenant whose guests are written in Rust.
const HOSTILE: &str = "hostile";

/// A node under a cap.
pub(super) struct Victim {
    node: Node,
    cap: MemoryCap,
}

impl Victim {
    /// A node with these bounds, and the defaults for all others.
    fn with_bounds(bounds: &[&str]) -> Self {
        Self::start(&bounds.iter().flat_map(|bound| ["--limit", bound]).collect::<Vec<_>>())
    }

    /// A node with these options.
    pub(super) fn start(options: &[&str]) -> Self {
        let node = Node::embedded(&[&["--concurrency", "4"], options].concat());
        node.api(HOSTILE).push(guests::GUEST_HOSTILE);
        node.api("honest").push(guests::EXAMPLE_ADD);
        let cap = MemoryCap::beyond_idle(node.pid(), CAP);
        Self { node, cap }
    }

    /// Every bound at its default.
    pub(super) fn with_defaults() -> &'static Self {
        static NODE: OnceLock<Victim> = OnceLock::new();
        NODE.get_or_init(|| Self::start(&[]))
    }

    /// Little time to compute. However busy the machine, guests that compute get so much within the default of wall time.
    pub(super) fn short_of_cpu_time() -> &'static Self {
        static NODE: OnceLock<Victim> = OnceLock::new();
        NODE.get_or_init(|| Self::with_bounds(&["cpu-time=100ms"]))
    }

    /// Little time, for guests that wait.
    pub(super) fn short_of_wall_time() -> &'static Self {
        static NODE: OnceLock<Victim> = OnceLock::new();
        NODE.get_or_init(|| Self::with_bounds(&["wall-time=4s"]))
    }

    /// Bounds raised so far that a guest can do its worst.
    pub(super) fn raised() -> &'static Self {
        static NODE: OnceLock<Victim> = OnceLock::new();
        let bounds = ["host-calls=10000000", "host-bytes=4GiB", "memory=256MiB", "result=64MiB", "children=100000"];
        NODE.get_or_init(|| Self::with_bounds(&bounds))
    }

    /// A client of the tenant whose guests are written in Rust.
    pub(super) fn hostile(&self) -> Api {
        self.node.api(HOSTILE)
    }

    /// A client of a tenant of its own.
    pub(super) fn tenant(&self, name: &str) -> Api {
        self.node.api(name)
    }

    /// The node's address.
    pub(super) fn url(&self) -> &str {
        self.node.url()
    }

    /// Waits until the node has logged this text so many times.
    pub(super) fn logs(&self, text: &str, times: usize) {
        self.node.logs(text, times);
    }

    /// What the node logged.
    pub(super) fn log(&self) -> String {
        self.node.log()
    }

    /// Runs a task of the guests that are written in Rust, and checks how it ended and that the node is none the worse.
    #[track_caller]
    pub(super) fn ends(&self, task: &str, args: Value, state: &str, text: &str) -> Value {
        self.checked(task, self.hostile().run(task, args), state, text)
    }

    /// The same with a task of a tenant that has been given it.
    #[track_caller]
    pub(super) fn task_ends(&self, tenant: &str, task: &str, args: Value, state: &str, text: &str) -> Value {
        self.checked(task, self.tenant(tenant).run(task, args), state, text)
    }

    /// The same with a guest that no compiler would write, for a tenant of its own.
    #[track_caller]
    pub(super) fn guest_ends(&self, name: &str, guest: &Guest<'_>, state: &str, text: &str) -> Value {
        let api = self.tenant(name);
        api.upload("guest", &guest.build()).ok();
        self.checked(name, api.run("t", json!([])), state, text)
    }

    /// Uploads a module that is refused, and checks the reason and that the node is none the worse.
    #[track_caller]
    pub(super) fn refuses(&self, module: &[u8], text: &str) {
        self.refuses_for_one_of(module, &[text]);
    }

    /// The same where the machine's load decides which of these reasons it is.
    #[track_caller]
    pub(super) fn refuses_for_one_of(&self, module: &[u8], texts: &[&str]) {
        let refused = self.tenant("refused").upload("guest", module);
        let reason = refused.problem(422, "module-refused");
        assert!(texts.iter().any(|text| reason.contains(text)), "{reason:?} does not say {texts:?}");
        assert_eq!(self.tenant("refused").get("/v1/modules").ok()["modules"], json!([]));
        self.still_serves(reason);
    }

    #[track_caller]
    fn checked(&self, name: &str, request: Value, state: &str, text: &str) -> Value {
        assert_eq!(request["state"], state, "{}", shown(&request));
        let message = message(&request);
        assert!(message.contains(text), "{:?} does not say {text:?}", message.chars().take(1_000).collect::<String>());
        self.still_serves(name);
        request
    }

    /// Does this while another tenant's honest requests run, one after the other: each of them must go well.
    pub(super) fn while_others_work<T>(&self, hostile: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let honest = scope.spawn(|| self.work_until(&done));
            let guard = Done(&done);
            let came_of_it = hostile();
            drop(guard);
            let served = honest.join().unwrap();
            assert!(served > 0, "nothing was asked for meanwhile");
            came_of_it
        })
    }

    /// Honest requests without a break until it is done, and how many there were.
    fn work_until(&self, done: &AtomicBool) -> usize {
        let (api, mut served) = (self.node.api("honest"), 0_u32);
        loop {
            let request = api.run("example.add", json!([served, 1]));
            assert_eq!(
                (&request["state"], request["value"].as_f64()),
                (&json!("SUCCESS"), Some(f64::from(served) + 1.0)),
                "{}",
                shown(&request)
            );
            served += 1;
            if done.load(Ordering::Relaxed) {
                return usize::try_from(served).unwrap();
            }
        }
    }

    /// Another tenant's honest request runs, and the node's memory stayed under its cap.
    #[track_caller]
    pub(super) fn still_serves(&self, after: &str) {
        let request = self.node.api("honest").run("example.add", json!([1, 2]));
        assert_eq!((&request["state"], &request["value"]), (&json!("SUCCESS"), &json!(3.0)), "after {after}: {}", shown(&request));
        self.cap.check(after);
    }
}

/// Says that it is done, also where a test fails: those who work meanwhile would go on for ever.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What is said of a request that did not succeed.
pub(super) fn message(request: &Value) -> &str {
    request["error"]["message"].as_str().unwrap_or_default()
}

/// A request as far as it can be read.
fn shown(request: &Value) -> String {
    request.to_string().chars().take(2_000).collect()
}
