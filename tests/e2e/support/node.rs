//! Nodes: the binary, serving, on a port and in a folder of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use mogbox_fixtures::signal;
use tempfile::TempDir;

use super::api::Api;
use super::command::{binary, untold};
use super::guests;

/// A running node. Killed when dropped.
pub(crate) struct Node {
    child: Child,
    /// A shell that kills the node once this process is gone, however it ends: its standard input closes then.
    watcher: Child,
    url: String,
    folder: TempDir,
}

impl Node {
    /// Starts a node on the embedded store.
    pub(crate) fn embedded(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("store");
        let mut args = vec!["--data", data.to_str().unwrap()];
        args.extend(more);
        Self::start(&args, folder)
    }

    /// Starts a node on a Redis.
    pub(crate) fn redis(url: &str, more: &[&str]) -> Self {
        let mut args = vec!["--redis", url];
        args.extend(more);
        Self::start(&args, tempfile::tempdir().unwrap())
    }

    /// Starts a node on the embedded store, which is on a disk of its own: so large, and mounted with these options.
    pub(crate) fn on_a_small_disk(size: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let mount = format!("mount -t tmpfs -o size={size} tmpfs \"$0\" && exec \"$@\"");
        let mut command = untold("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &mount]).arg(&disk).arg(binary());
        let data = disk.join("store");
        let mut args = vec!["--data", data.to_str().unwrap()];
        args.extend(more);
        Self::run(command, &args, folder)
    }

    /// Where the disk of [`Self::on_a_small_disk`] is reached: it is mounted for the node alone.
    pub(crate) fn disk(&self) -> PathBuf {
        let disk = self.folder.path().join("disk");
        Path::new("/proc").join(self.pid().to_string()).join("root").join(disk.strip_prefix("/").unwrap())
    }

    fn start(args: &[&str], folder: TempDir) -> Self {
        Self::run(untold(binary()), args, folder)
    }

    fn run(mut command: Command, args: &[&str], folder: TempDir) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args);
        let mut child = command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).map(ToOwned::to_owned);
        let watch = format!("cat; kill -9 {} 2>/dev/null", child.id());
        let watcher = Command::new("sh").args(["-c", &watch]).stdin(Stdio::piped()).spawn().unwrap();
        let mut node = Self { child, watcher, url: String::new(), folder };
        node.url = url.unwrap_or_else(|| panic!("the node did not say that it is ready: {line:?} {}", node.log()));
        node
    }

    /// The address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until it has logged a text so many times.
    #[track_caller]
    pub(crate) fn logs(&self, text: &str, times: usize) {
        self.logs_any(&[text], times);
    }

    /// As [`Self::logs`], with several texts of which each counts.
    pub(crate) fn logs_any(&self, texts: &[&str], times: usize) {
        let started = std::time::Instant::now();
        while texts.iter().map(|text| self.log().matches(text).count()).sum::<usize>() < times {
            assert!(started.elapsed().as_secs() < 120, "not {times} times {texts:?} after 120 s: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// Waits until `/readyz` answers so, and returns the detail of its problem where it answers one.
    #[track_caller]
    pub(crate) fn answers_ready_with(&self, status: u16) -> String {
        let (started, api) = (std::time::Instant::now(), self.api("default"));
        loop {
            let answer = api.get("/readyz");
            if answer.status == status {
                return answer.body["detail"].as_str().unwrap_or_default().to_owned();
            }
            assert!(started.elapsed().as_secs() < 60, "not {status} after 60 s but {answer:?}: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// A client of a tenant.
    pub(crate) fn api(&self, tenant: &str) -> Api {
        Api::new(&self.url, tenant)
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets no file that it writes grow beyond so many bytes, or any; what is larger already is not written beyond them either.
    pub(crate) fn bound_files(&self, bytes: &str) {
        // The soft bound alone, so that a user who is not root can lift it again.
        let bound = format!("--fsize={bytes}:");
        let status = Command::new("prlimit").args(["--pid", &self.pid().to_string(), &bound]).status().unwrap();
        assert!(status.success(), "{status:?}");
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn ask_to_stop(&self) {
        signal("TERM", self.pid()).unwrap();
    }

    /// Suspends the process: for the others it is as if it were gone.
    pub(crate) fn suspend(&self) {
        signal("STOP", self.pid()).unwrap();
    }

    /// Lets it go on after [`Self::suspend`], as if no time had passed.
    pub(crate) fn resume(&self) {
        signal("CONT", self.pid()).unwrap();
    }

    /// Kills it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing left to do about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// A node on the embedded store, with the examples pushed for tenant `default`, shared by the tests that change nothing for
/// others. Never dropped; its watcher ends it with the test process.
pub(crate) fn shared_node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(|| {
        let node = Node::embedded(&["--concurrency", "16"]);
        let api = node.api("default");
        for component in guests::EXAMPLES {
            api.push(component);
        }
        node
    })
}
