//! What the tests share: one Redis server for the whole binary, and a tenant of its own for each test.

use std::sync::OnceLock;

use mogbox_backends::redis::RedisConnection;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_fixtures::RedisServer;

/// Names each test once and runs it as `redis::NAME` and `embedded::NAME`, on a fresh `$world` made by `redis()` or `embedded()`.
macro_rules! on_both {
    ($world:ty; $($name:ident)*) => {
        mod redis {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(<$world>::redis().await).await;
                }
            )*
        }
        mod embedded {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(<$world>::embedded().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_both;

/// The address of a server that all tests of this binary share.
pub(crate) fn redis_url() -> String {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::start().expect("redis-server is installed")).url()
}

/// A connection to that server. Each test has one of its own, as each has a runtime of its own.
pub(crate) async fn redis_connection() -> RedisConnection {
    RedisConnection::open(&redis_url()).await.expect("the server answers")
}

/// A tenant that no other test uses.
pub(crate) fn fresh_tenant() -> Tenant {
    format!("t-{}", RequestId::random()).parse().expect("a tenant's name")
}
