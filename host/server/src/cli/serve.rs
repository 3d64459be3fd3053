//! `mogbox serve`: reads a node's settings from the command line, checks them, and runs it.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use mogbox_core::outgoing::{HttpRule, HttpRules};
use mogbox_core::{Grants, Limits, QueueName, Tenant};

use super::values::{Tier, parse_duration, parse_size};
use crate::logging::{self, LogFormat};
use crate::node::{self, Backend, NodeSettings, RabbitMq};

/// Requests that one processor runs at once where nothing is said; each that computes makes way for the others every millisecond.
const PLACES_PER_PROCESSOR: usize = 64;

/// The shortest time after which a request may be taken for lost: a client may be about to submit it again.
const SHORTEST_LOST_AFTER: Duration = Duration::from_secs(1);

/// Instead of a folder: keep nothing.
const OFF: &str = "off";

/// Turns of a thread between two looks at what has arrived. A turn may be a guest that computes for a millisecond, and one request takes
/// several arrivals one after the other.
const EVENT_INTERVAL: u32 = 2;

/// Time that threads get to end with the node.
const LAST_THREADS: Duration = Duration::from_secs(2);

/// Start a node: it runs tasks and answers the API.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  mogbox serve                                  everything in the folder .mogbox, no server needed
  mogbox serve --listen 127.0.0.1:0             any free port; the first line of output names it
  mogbox serve --redis redis://127.0.0.1:6379   several nodes share the work on one Redis
  mogbox serve --redis redis://127.0.0.1:6379 --amqp amqp://127.0.0.1:5672 --app myapp
                                                run what clients of the Mognet application myapp submit
  mogbox serve --concurrency 8 --limit memory=256MiB --limit wall-time=10m

SIGTERM or Ctrl-C stops it in good order: it takes no more requests, gives running ones the time
--drain, and hands back those that still run. A second signal stops it at once; what it ran is handed
out again when its lease ends."
)]
pub(super) struct Serve {
    /// Where the API listens; a loopback address unless there are tokens (`mogbox tokens --help`). Port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777")]
    listen: String,
    /// The folder of the embedded store. Of no use with --redis.
    #[arg(long, value_name = "FOLDER", default_value = ".mogbox")]
    data: PathBuf,
    /// Keep everything on this Redis, to be shared with other nodes and with Mognet's clients.
    #[arg(long, value_name = "URL", env = "MOGBOX_REDIS", hide_env_values = true)]
    redis: Option<String>,
    /// Take requests from this RabbitMQ, as Mognet's clients submit them; what is submitted to the node for an --app goes there too.
    /// Needs --redis, where their results are, and --app.
    #[arg(long, value_name = "URL", env = "MOGBOX_AMQP", hide_env_values = true, requires = "redis", requires = "apps")]
    amqp: Option<String>,
    /// A Mognet application whose requests are taken from RabbitMQ: the tenant of that name; may be given several times.
    #[arg(long = "app", value_name = "NAME", requires = "amqp")]
    apps: Vec<Tenant>,
    /// Take requests of this queue only; may be given several times, or several with commas between them.
    #[arg(
        long = "queue",
        value_name = "NAME",
        value_delimiter = ',',
        env = "MOGBOX_QUEUES",
        hide_env_values = true,
        default_value = "tasks"
    )]
    queues: Vec<QueueName>,
    /// Take no requests of this queue after all, of those that --queue or MOGBOX_QUEUES names; may be given several times.
    #[arg(long = "exclude-queue", value_name = "NAME", value_delimiter = ',')]
    excluded_queues: Vec<QueueName>,
    /// Requests run at once; 64 times the number of processors where absent, as most of them wait for something. One tenant's are seven
    /// eighths of them at the most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: Option<u32>,
    /// Threads that guests compute on, beside those of the node's own work; one less than there are processors where absent, but one at
    /// least. As many as there are processors compute more, and make others wait longer.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    guest_threads: Option<u32>,
    /// Memory that all guests alive may hold together, running or waiting, such as 8GiB; five eighths of the machine's, or of what
    /// its control group allows, where absent. A request whose guest does not fit is tried again later.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    guest_memory: Option<u64>,
    /// The folder that keeps compiled modules, so that a restart compiles nothing again; it becomes this user's alone. Where absent it is
    /// inside the folder of --data, and with --redis there is none; `off` keeps none either.
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
    /// Where attempts run: shared, in the node's own process, each in a fresh sandbox; or process, in one that serves their tenant alone and
    /// reaches nothing but the node, which costs more time and memory.
    #[arg(long, value_enum, value_name = "TIER", hide_possible_values = true, default_value = "shared")]
    isolation: Tier,
    /// Change a bound, such as memory=256MiB; may be given several times.
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    limits: Vec<String>,
    /// A metadata key that tasks may read and not write, such as user_id, unless their tenant is trusted; may be given several times, or
    /// several with commas between them.
    #[arg(long = "protect", value_name = "KEY", value_delimiter = ',')]
    protected: Vec<String>,
    /// Let the tasks of every tenant send HTTP requests that this rule allows, such as 'GET,POST https://*.example.com:8443': without methods
    /// any, without a port that of the scheme, `*` for any host or port; may be given several times. Without it tasks send none.
    #[arg(long = "allow-http", value_name = "RULE")]
    allow_http: Vec<HttpRule>,
    /// Let what --allow-http allows also reach addresses of this machine and its network, which are refused otherwise.
    #[arg(long, requires = "allow_http")]
    allow_http_private: bool,
    /// The file of the key that seals tenants' secrets, as `openssl rand -base64 32` makes it. Where absent it is made inside the folder of
    /// --data; with --redis there is none then, and secrets are refused.
    #[arg(long, value_name = "FILE")]
    secret_key: Option<PathBuf>,
    /// A request whose node is silent so long is handed out again.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s")]
    lease: Duration,
    /// Time that running requests get to finish at shutdown.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    drain: Duration,
    /// A request that is not done, but has no message left in its queue, is ended as lost after this time.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1m")]
    lost_after: Duration,
    /// How the log on standard error is written: text, or json with one object a line.
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: a level, or one a part, such as info,mogbox_core=debug.
    #[arg(long, value_name = "FILTER", env = "MOGBOX_LOG", hide_env_values = true, default_value = "info,lapin=off")]
    log: String,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        logging::start(self.log_format, &self.log)?;
        let settings = self.settings()?;
        run_to_end(node::run(settings))
    }

    fn settings(self) -> anyhow::Result<NodeSettings> {
        if self.lost_after < SHORTEST_LOST_AFTER {
            bail!("invalid --lost-after {:?}: expected at least {SHORTEST_LOST_AFTER:?}", self.lost_after);
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency =
            self.concurrency.map_or(processors * PLACES_PER_PROCESSOR, |number| usize::try_from(number).unwrap_or(usize::MAX));
        let backend = match (self.redis, self.amqp) {
            (Some(redis), Some(url)) => Backend::RabbitMq(RabbitMq { url, redis, apps: self.apps }),
            (Some(redis), None) => Backend::Redis(redis),
            (None, _) => Backend::Embedded(self.data),
        };
        Ok(NodeSettings {
            listen: address(&self.listen)?,
            artifacts: artifacts(self.artifacts, &backend),
            compiler: Some(this_program()?),
            backend,
            queues: queues(self.queues, &self.excluded_queues)?,
            concurrency,
            guest_memory: self.guest_memory,
            guest_threads: self.guest_threads.map(|threads| threads as usize),
            limits: limits(&self.limits)?,
            protected: self.protected,
            grants: grants(self.allow_http, self.allow_http_private)?,
            secret_key: self.secret_key,
            lease: self.lease,
            drain: self.drain,
            lost_after: self.lost_after,
            isolation: self.isolation.into(),
        })
    }
}

/// The queues to take requests from, each once.
fn queues(included: Vec<QueueName>, excluded: &[QueueName]) -> anyhow::Result<Vec<QueueName>> {
    if let Some(unknown) = excluded.iter().find(|queue| !included.contains(queue)) {
        let names: Vec<_> = included.iter().map(QueueName::as_str).collect();
        bail!("--exclude-queue {unknown} names a queue that is not taken from: those are {}", names.join(", "));
    }
    let mut queues: Vec<QueueName> = Vec::new();
    for queue in included {
        if !excluded.contains(&queue) && !queues.contains(&queue) {
            queues.push(queue);
        }
    }
    if queues.is_empty() {
        bail!("--exclude-queue leaves no queue to take requests from: name others with --queue");
    }
    Ok(queues)
}

/// What the tasks of every tenant are granted.
fn grants(rules: Vec<HttpRule>, private: bool) -> anyhow::Result<Grants> {
    let rules = rules.into_iter().map(|rule| if private { rule.private() } else { rule }).collect();
    let http = HttpRules::new(rules).context("too many of --allow-http")?;
    Ok(Grants { http: http.into(), ..Grants::default() })
}

/// The folder of compiled modules, where there is one.
fn artifacts(given: Option<PathBuf>, backend: &Backend) -> Option<PathBuf> {
    match (given, backend) {
        (Some(folder), _) => (folder.as_os_str() != OFF).then_some(folder),
        (None, Backend::Embedded(data)) => Some(data.join("artifacts")),
        (None, Backend::Redis(_) | Backend::RabbitMq(_)) => None,
    }
}

/// The program that runs now, also once another has its name: an update meanwhile is of no use to this process.
fn this_program() -> anyhow::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe().context("cannot find this program, which is to compile modules")
}

/// Runs the node on threads of its own. What computes when it has ended, such as the compiler of a module that nobody waits for any
/// more, does not keep the process from ending.
fn run_to_end(node: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = threads.enable_all().event_interval(EVENT_INTERVAL).build().context("cannot start the threads of the node")?;
    let ended = runtime.block_on(node);
    runtime.shutdown_timeout(LAST_THREADS);
    ended
}

/// An address with its port. Only a loopback one where there are no tokens, which the node checks once it knows.
fn address(listen: &str) -> anyhow::Result<SocketAddr> {
    let malformed = || anyhow!("invalid address {listen:?}: expected one with its port, such as 127.0.0.1:7777");
    listen.to_socket_addrs().ok().and_then(|mut addresses| addresses.next()).ok_or_else(malformed)
}

fn limits(given: &[String]) -> anyhow::Result<Limits> {
    let mut limits = Limits::default();
    for setting in given {
        let (name, value) =
            setting.split_once('=').ok_or_else(|| anyhow!("invalid limit {setting:?}: expected NAME=VALUE, such as memory=256MiB"))?;
        limits.set(name, value).with_context(|| format!("invalid limit {setting:?}"))?;
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_ends_although_a_module_still_compiles() {
        let (done, compiled) = std::sync::mpsc::channel::<()>();
        let node = async {
            tokio::task::spawn_blocking(move || compiled.recv());
            Ok(())
        };
        run_to_end(node).unwrap();
        drop(done);
    }

    #[test]
    fn queues_are_those_included_without_those_excluded() {
        let names = |text: &str| text.split_terminator(',').map(|name| name.parse().unwrap()).collect::<Vec<QueueName>>();
        assert_eq!(queues(names("a,b,a,c"), &names("b")).unwrap(), names("a,c"));
        let error = |included, excluded| queues(names(included), &names(excluded)).unwrap_err().to_string();
        assert!(error("a,b", "c").contains("--exclude-queue c") && error("a,b", "c").contains("a, b"), "{}", error("a,b", "c"));
        assert!(error("a", "a").contains("leaves no queue"), "{}", error("a", "a"));
    }

    #[test]
    fn compiled_modules_are_kept_beside_the_data_unless_told_otherwise() {
        let (embedded, redis) = (Backend::Embedded("data".into()), Backend::Redis("redis://host".into()));
        assert_eq!(artifacts(None, &embedded), Some("data/artifacts".into()));
        assert_eq!(artifacts(None, &redis), None);
        assert_eq!(artifacts(Some("folder".into()), &redis), Some("folder".into()));
        assert_eq!(artifacts(Some("off".into()), &embedded), None);
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "localhost:7777", "[::1]:1", "0.0.0.0:80"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for malformed in ["7777", "localhost", "localhost:http", "localhost:70000", ":", ""] {
            assert!(address(malformed).unwrap_err().to_string().contains("such as 127.0.0.1:7777"), "{malformed}");
        }
    }

    #[test]
    fn a_limit_that_is_none_is_named_with_those_there_are() {
        let error = |text: &str| format!("{:#}", limits(&[text.to_owned()]).unwrap_err());
        assert!(error("memroy=1GiB").contains("expected one of memory, tenant-memory"), "{}", error("memroy=1GiB"));
        assert!(error("memory").contains("NAME=VALUE"));
        assert_eq!(limits(&["children=7".to_owned()]).unwrap().children, 7);
    }
}
