//! What a guest could do that got out of its sandbox, in a process of its tenant's: everything fails that reaches beyond that process, and
//! the node and other tenants go on. The deeds are those of `src/bin/mogbox-cell/deeds.rs`.

use std::time::Duration;

use mogbox_core::executor::StopReason;
use mogbox_core::{Execution, Limits, Outcome, Stop};
use mogbox_runtime::{EngineSettings, ProcessSettings};
use tokio::task::JoinHandle;

use crate::guests::{CONTEXT, Guest};
use crate::interruption::{spinning, waiting};
use crate::parking::ENTRY;
use crate::world::{Run, World, json};

/// An attempt of this tenant that does something of which no guest is capable.
fn deed(tenant: &str, name: &'static str, argument: &str) -> Run {
    let args = vec![mogbox_core::Json::string(argument)];
    Run { task: name, args, tenant: tenant.parse().unwrap(), ..Run::of(&Guest::default()) }.in_a_process()
}

/// What worked of it.
async fn worked(world: &World, name: &'static str, argument: &str) -> String {
    match world.run(deed("bad", name, argument)).await.outcome {
        Outcome::Success(text) => text.read::<String>().unwrap(),
        other => panic!("{name}: {other:?}"),
    }
}

fn ended(outcome: &Outcome) -> &str {
    let Outcome::Trapped { class, message } = outcome else { panic!("{outcome:?}") };
    assert_eq!(class, "process", "{message}");
    message
}

/// An attempt of another tenant that runs in a process while something else happens.
struct Bystander {
    stop: Stop,
    running: JoinHandle<Execution>,
}

impl Bystander {
    async fn of(world: &World) -> Self {
        let run = waiting().in_a_process();
        let stop = run.stop.clone();
        let running = world.start(run);
        world.reached().await;
        Self { stop, running }
    }

    /// It ran all the while, and the node still serves.
    async fn ends_unharmed(self, world: &World) {
        self.stop.force(StopReason::Draining);
        assert_eq!(self.running.await.unwrap().outcome, Outcome::Stopped(StopReason::Draining));
        world.still_serves().await;
        let execution = world.run(Run::of(&Guest::default()).in_a_process()).await;
        assert_eq!(execution.outcome, Outcome::Success(json("[1,2.0,\"drei\"]")));
    }
}

#[tokio::test]
async fn no_call_of_the_system_leads_out() {
    let world = World::new();
    assert_eq!(worked(&world, "deed.calls", "").await, "");
}

#[tokio::test]
async fn no_file_is_read_or_written_and_no_environment_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(&EngineSettings { artifacts: Some(folder.path().to_owned()), max_instances: 16, ..World::settings() });
    let key = folder.path().join("key");
    world.still_serves().await;
    assert!(key.is_file());
    let node = std::process::id();
    let paths = format!(
        "/proc/self/environ,/proc/self/mem,/proc/{node}/environ,/proc/{node}/mem,/proc/{node}/maps,/etc/passwd,/etc/hostname,{},/dev/null",
        key.display()
    );
    assert_eq!(worked(&world, "deed.read", &paths).await, "");
    assert_eq!(worked(&world, "deed.environment", "").await, "");
}

#[tokio::test]
async fn nobody_is_reached_over_a_network_or_a_socket() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let addresses = format!("{},{}", listener.local_addr().unwrap(), path.display());
    assert_eq!(worked(&World::new(), "deed.connect", &addresses).await, "");
}

#[tokio::test]
async fn nobody_else_is_killed() {
    let world = World::new();
    let bystander = Bystander::of(&world).await;
    assert_eq!(worked(&world, "deed.kill", &std::process::id().to_string()).await, "");
    bystander.ends_unharmed(&world).await;
}

#[tokio::test]
async fn a_process_that_crashes_costs_its_own_attempts_only() {
    let world = World::new();
    let bystander = Bystander::of(&world).await;
    for name in ["deed.crash", "deed.scribble"] {
        // In the same process: what is not out of its sandbox ends with the one that is.
        let run = waiting().in_a_process();
        let neighbour = world.start(Run { tenant: "bad".parse().unwrap(), ..run });
        world.reached().await;
        let execution = world.run(deed("bad", name, "")).await;
        assert!(ended(&execution.outcome).starts_with("the sandbox process ended: signal "), "{:?}", execution.outcome);
        ended(&neighbour.await.unwrap().outcome);
        let next = world.run(Run { tenant: "bad".parse().unwrap(), ..Run::of(&Guest::default()).in_a_process() }).await;
        assert!(matches!(next.outcome, Outcome::Success(_)), "{:?}", next.outcome);
    }
    bystander.ends_unharmed(&world).await;
}

#[tokio::test]
async fn what_makes_no_sense_ends_the_process_that_said_it() {
    let world = World::new();
    let bystander = Bystander::of(&world).await;
    let said = [
        ("{", "a message that makes no sense"),
        (r#"{"Finished":{"number":1}}"#, "a message that makes no sense"),
        (r#"{"Call":{"number":1,"call":{"Secrets":{}}}}"#, "a message that makes no sense"),
        (r#"{"Call":{"number":77,"call":"AllMetadata"}}"#, "something of attempt 77, which does not run in it"),
        (r#""Ready""#, "a second time that it is ready"),
    ];
    for (message, why) in said {
        let execution = world.run(deed("bad", "deed.say", message)).await;
        let text = ended(&execution.outcome);
        assert!(text.starts_with("the sandbox process was ended: it said ") && text.contains(why), "{text}");
    }
    bystander.ends_unharmed(&world).await;
}

#[tokio::test]
async fn a_frame_larger_than_any_attempt_may_fill_ends_the_process() {
    let world = World::new();
    for length in [u32::MAX.to_string(), (64 << 20).to_string()] {
        let execution = world.run(deed("bad", "deed.claim", &length)).await;
        let text = ended(&execution.outcome).to_owned();
        assert!(text.contains(&format!("it said a frame of {length} bytes, at most ")), "{text}");
    }
    world.still_serves().await;
}

#[tokio::test]
async fn two_calls_at_once_for_one_attempt_end_the_process() {
    let world = World::new();
    world.memory.hangs.store(true, std::sync::atomic::Ordering::Release);
    let call = r#"{"Call":{"number":1,"call":"AllMetadata"}}"#;
    let message = format!("{call}\n{call}");
    let run = deed("bad", "deed.say", &message);
    let execution = world.run(run).await;
    let text = ended(&execution.outcome);
    assert!(text.contains("it made two host calls at once for one attempt"), "{text}");
}

#[tokio::test]
async fn memory_has_an_end_before_the_machines_has() {
    let world = World::new();
    let run = deed("bad", "deed.eat", "").within(Limits { memory: 1 << 20, ..Limits::default() });
    let execution = world.run(run).await;
    let Outcome::Success(mebibytes) = execution.outcome else { panic!("{:?}", execution.outcome) };
    let mebibytes: u64 = mebibytes.read::<String>().unwrap().parse().unwrap();
    assert!(mebibytes < 800, "{mebibytes} MiB");
}

#[tokio::test]
async fn native_code_that_never_ends_is_ended_with_its_process() {
    let processes = ProcessSettings { grace: Duration::from_millis(500), ..World::settings().processes };
    let world = World::with(&EngineSettings { max_instances: 16, processes, ..World::settings() });
    let bystander = Bystander::of(&world).await;
    let run = deed("bad", "deed.spin", "").within(Limits { wall_time: 100, ..Limits::default() });
    let execution = world.run(run).await;
    assert_eq!(ended(&execution.outcome), "the sandbox process was ended: an attempt did not end when its time was up");
    let run = deed("bad", "deed.spin", "");
    let stop = run.stop.clone();
    let spinning = world.start(run);
    stop.force(StopReason::Revoked);
    let outcome = spinning.await.unwrap().outcome;
    assert!(outcome == Outcome::Stopped(StopReason::Revoked) || ended(&outcome).contains("when its time was up"), "{outcome:?}");
    bystander.ends_unharmed(&world).await;
}

#[tokio::test]
async fn an_attempt_whose_waiter_is_gone_is_ended_in_its_process() {
    let settings = EngineSettings { max_instances: 1, ..World::settings() };
    let world = World::with(&settings);
    for run in [waiting(), spinning()] {
        let attempt = world.attempt(run.in_a_process());
        tokio::select! {
            biased;
            execution = mogbox_core::Executor::execute(&*world.sandbox, attempt) => panic!("{:?}", execution.outcome),
            () = world.reached() => (),
        }
        // Its place is free once its process says that it has ended.
        let free = async {
            while matches!(world.run(Run::of(&Guest::default())).await.outcome, Outcome::Unavailable(_)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), free).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_without_a_place_for_another_process_ends_an_idle_one_or_puts_the_attempt_off() {
    let processes = ProcessSettings { most: 1, ..World::settings().processes };
    let world = World::with(&EngineSettings { max_instances: 16, processes, ..World::settings() });
    let of = |tenant: &str| Run { tenant: tenant.parse().unwrap(), ..Run::of(&Guest::default()).in_a_process() };
    for tenant in ["one", "other", "one"] {
        assert!(matches!(world.run(of(tenant)).await.outcome, Outcome::Success(_)));
    }
    let bystander = Bystander::of(&world).await;
    let outcome = world.run(of("one")).await.outcome;
    let text = "1 processes run attempts on this node, which is all that it takes, and none of them is idle";
    assert_eq!(outcome, Outcome::Unavailable(text.into()));
    bystander.ends_unharmed(&world).await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_puts_the_attempt_off() {
    for program in ["/nowhere", "/bin/false"] {
        let processes = ProcessSettings { program: program.into(), ..ProcessSettings::default() };
        let world = World::with(&EngineSettings { max_instances: 16, processes, ..World::settings() });
        let outcome = world.run(Run::of(&Guest { imports: CONTEXT, items: ENTRY, ..Guest::default() }).in_a_process()).await.outcome;
        assert!(matches!(outcome, Outcome::Unavailable(_)), "{outcome:?}");
        world.still_serves().await;
    }
}
