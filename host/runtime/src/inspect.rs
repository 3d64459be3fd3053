//! Admission of an uploaded module: is it a component that only asks for what there is and serves tasks, and what does it say it
//! serves. Every refusal names the reason and the way out. `describe` runs in a sandbox that reaches nothing.

mod describe;
mod shape;

use std::sync::Arc;
use std::time::Duration;

use mogbox_core::limits::{Bound, Limits};
use mogbox_core::module::TaskDescription;
use mogbox_core::{Digest, Rejected};

use crate::cache::{ModuleCache, NotCompiled};
use crate::linker::link;
use crate::places::Places;
use crate::trap::for_people;

pub use shape::check_kind;

/// Time that a module may take to compile, waiting for others included.
const MAX_COMPILATION: Duration = Duration::from_secs(120);

/// Bytes of a refusal.
const MAX_REASON: usize = 2 << 10;

/// What the module serves, or why it is not admitted. An admitted module is kept, compiled, for its first request.
pub(crate) async fn inspect(
    cache: &ModuleCache,
    places: &Arc<Places>,
    bytes: Arc<[u8]>,
    limits: &Limits,
) -> Result<Vec<TaskDescription>, Rejected> {
    admit(cache, places, bytes, limits).await.map_err(|reason| Rejected(for_people(&reason, MAX_REASON)))
}

async fn admit(cache: &ModuleCache, places: &Arc<Places>, bytes: Arc<[u8]>, limits: &Limits) -> Result<Vec<TaskDescription>, String> {
    check_size(&bytes, limits)?;
    shape::check_kind(&bytes)?;
    let digest = digest_of(&bytes).await?;
    let component = tokio::time::timeout(MAX_COMPILATION, cache.component(digest, bytes))
        .await
        .map_err(|_| format!("it does not compile within {} s", MAX_COMPILATION.as_secs()))?
        .map_err(|error| match error {
            NotCompiled::Invalid(text) => format!("it is not a valid component: {text}"),
            NotCompiled::Refused(text) => format!("this node cannot compile it now: {text}"),
        })?;
    shape::check_imports(cache.engine(), &component)?;
    shape::check_exports(cache.engine(), &component)?;
    let linked = link(cache.linker(), &component).map_err(|error| format!("its imports or exports do not fit the WIT: {error:#}"))?;
    let tasks = describe::describe(cache.engine(), &linked, limits, places.take_for_nobody()?).await?;
    cache.keep(digest, &component, linked);
    Ok(tasks)
}

/// Hashed on a thread of its own: it may be many bytes.
async fn digest_of(bytes: &Arc<[u8]>) -> Result<Digest, String> {
    let bytes = Arc::clone(bytes);
    tokio::task::spawn_blocking(move || Digest::of(&bytes)).await.map_err(|error| error.to_string())
}

fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), String> {
    if bytes.len() > limits.length(Bound::Module) {
        return Err(format!("{} bytes are {}", bytes.len(), limits.explain(Bound::Module)));
    }
    Ok(())
}
