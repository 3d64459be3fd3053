//! Redis: one connection that all calls of a process share and that heals itself, and errors in the words of the ports.
//! Knows nothing of what is stored.

pub mod broker;
mod entries;
mod intake;
mod keys;
mod modules;
mod observe;
mod results;
mod scripts;
mod state;
mod tenants;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ScriptInvocation, ServerErrorKind};

use crate::error::{BackendError, OpenError};

pub use intake::RedisIntake;
pub use modules::RedisModules;
pub use observe::ServerFigures;
pub use results::RedisResults;
pub use state::RedisState;
pub use tenants::RedisTenants;

/// The longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time to wait for an answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A call that finds the connection broken waits for this many tries to connect, then fails; the next one tries anew.
const CONNECT_TRIES: usize = 3;

/// The longest wait between two of these tries.
const CONNECT_WAIT: Duration = Duration::from_millis(200);

/// A connection to a Redis server. A clone shares it.
#[derive(Clone)]
pub struct RedisConnection {
    client: Client,
    shared: Arc<RwLock<Shared>>,
}

struct Shared {
    manager: ConnectionManager,
    generation: u64,
}

impl RedisConnection {
    /// Connects to a server by its URL, such as `redis://user:password@host:6379/0`, and checks that it does not evict keys.
    ///
    /// # Errors
    /// Where the URL is malformed, the server does not answer, or it may evict keys. The text holds no password.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let failed = |way_out: &str| {
            let way_out = way_out.to_owned();
            move |error: RedisError| OpenError { what: format!("Redis at {}", without_secrets(url)), why: error.to_string(), way_out }
        };
        let client = Client::open(url).map_err(failed("expected an address such as redis://user:password@host:6379/0"))?;
        let connecting = ConnectionManager::new_with_config(client.clone(), configuration());
        let manager = connecting.await.map_err(failed("check that a Redis server runs there and that this address is right"))?;
        let connection = Self { client, shared: Arc::new(RwLock::new(Shared { manager, generation: 0 })) };
        connection.check_policy(url).await?;
        Ok(connection)
    }

    /// Sends one command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BackendError> {
        let (mut manager, generation) = self.manager();
        let answer = command.query_async(&mut manager).await;
        answer.map_err(|error| self.failed(&error, generation))
    }

    /// Sends several commands in one round trip.
    pub(crate) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, BackendError> {
        let (mut manager, generation) = self.manager();
        let answer = commands.query_async(&mut manager).await;
        answer.map_err(|error| self.failed(&error, generation))
    }

    /// Sends several commands in one round trip, each with an answer of its own.
    pub(crate) async fn each<T: FromRedisValue>(&self, commands: &mut Pipeline) -> Result<Vec<Result<T, BackendError>>, BackendError> {
        let (mut manager, generation) = self.manager();
        let failed = |error| self.failed(&error, generation);
        let answers: Vec<Result<T, RedisError>> = commands.ignore_errors().query_async(&mut manager).await.map_err(failed)?;
        Ok(answers.into_iter().map(|answer| answer.map_err(failed)).collect())
    }

    /// Runs a script, which is sent once and then called by its digest.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, BackendError> {
        let (mut manager, generation) = self.manager();
        let answer = script.invoke_async(&mut manager).await;
        answer.map_err(|error| self.failed(&error, generation))
    }

    /// Whether the server takes writes to this key, which must not exist: the command then does nothing, but is refused where a write
    /// that takes memory would be.
    pub(crate) async fn probe(&self, key: &str) -> Result<(), BackendError> {
        self.query::<redis::Value>(redis::cmd("SET").arg(key).arg(1).arg("XX")).await.map(drop)
    }

    /// A connection of the caller's own, for commands that block: it waits for an answer as long as that takes, and does not heal.
    pub(crate) async fn dedicated(&self) -> Result<MultiplexedConnection, BackendError> {
        let patient = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&patient).await.map_err(|error| failure(&error))
    }

    /// A connection of the caller's own that receives published messages. Its stream ends with the connection.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, BackendError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.client.get_async_pubsub()).await {
            Ok(connected) => connected.map_err(|error| failure(&error)),
            Err(_) => Err(BackendError::Unavailable(format!("no connection within {CONNECT_TIMEOUT:?}"))),
        }
    }

    fn manager(&self) -> (ConnectionManager, u64) {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        (shared.manager.clone(), shared.generation)
    }

    fn failed(&self, error: &RedisError, generation: u64) -> BackendError {
        if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)) {
            self.reconnect(generation);
        }
        failure(error)
    }

    /// A primary that became a replica keeps its connections, so a new one must be made to reach the new primary.
    fn reconnect(&self, generation: u64) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        if shared.generation != generation {
            return;
        }
        if let Ok(manager) = ConnectionManager::new_lazy_with_config(self.client.clone(), configuration()) {
            *shared = Shared { manager, generation: generation.wrapping_add(1) };
        }
    }

    async fn check_policy(&self, url: &str) -> Result<(), OpenError> {
        let asked: Result<HashMap<String, String>, _> = self.query(redis::cmd("CONFIG").arg("GET").arg("maxmemory-policy")).await;
        match asked.as_ref().map(|answer| answer.get("maxmemory-policy").map(String::as_str)) {
            Ok(Some("noeviction")) => Ok(()),
            Ok(Some(policy)) => Err(OpenError {
                what: format!("Redis at {}", without_secrets(url)),
                why: format!("its maxmemory-policy is {policy}, so it may drop requests and results"),
                way_out: "set maxmemory-policy to noeviction there".to_owned(),
            }),
            Ok(None) | Err(_) => {
                tracing::warn!(redis = %without_secrets(url), "cannot read maxmemory-policy: make sure that it is noeviction");
                Ok(())
            }
        }
    }
}

fn configuration() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_number_of_retries(CONNECT_TRIES)
        .set_max_delay(CONNECT_WAIT)
}

/// A failed call, in the words of the ports. A script says that it met something senseless by an error with the code MALFORMED.
pub(crate) fn failure(error: &RedisError) -> BackendError {
    let senseless = matches!(error.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType);
    if senseless || matches!(error.code(), Some("WRONGTYPE" | "MALFORMED")) {
        BackendError::Malformed(error.to_string())
    } else {
        BackendError::Unavailable(error.to_string())
    }
}

/// A URL as it may be shown: without user, password and parameters.
#[must_use]
pub fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split_once('?').map_or(place, |(place, _)| place);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        assert_eq!(without_secrets("redis://me:se@cret@host:1/2"), "redis://host:1/2");
        assert_eq!(without_secrets("redis+unix:///run/redis?pass=secret"), "redis+unix:///run/redis");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_with_the_way_out() {
        let error = RedisConnection::open("redis://:secret@127.0.0.1:1").await.err().unwrap().to_string();
        assert!(error.starts_with("cannot use Redis at redis://127.0.0.1:1: "), "{error}");
        assert!(error.ends_with("; check that a Redis server runs there and that this address is right"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
