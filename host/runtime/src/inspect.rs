//! Admission of an uploaded module: is it a valid component within bounds that only asks for what there is and serves tasks, does it
//! compile, and what does it say it serves. Every refusal names the reason and the way out. `describe` runs in a sandbox that reaches
//! nothing.

mod contents;
mod describe;
mod shape;

use std::sync::Arc;
use std::time::Instant;

use mogbox_core::limits::{Bound, Limits};
use mogbox_core::module::Inspection;
use mogbox_core::{Digest, Rejected};

use crate::cache::{Compiled, ModuleCache, NotCompiled, code_size};
use crate::linker::link;
use crate::places::Places;
use crate::trap::for_people;

use self::contents::Contents;
pub use shape::check_kind;

/// Bytes of a refusal.
const MAX_REASON: usize = 2 << 10;

/// What the module is, or why it is not admitted. An admitted module is kept, compiled, for its first request.
pub(crate) async fn inspect(cache: &ModuleCache, places: &Arc<Places>, bytes: Arc<[u8]>, limits: &Limits) -> Result<Inspection, Rejected> {
    admit(cache, places, bytes, limits).await.map_err(|reason| Rejected(for_people(&reason, MAX_REASON)))
}

async fn admit(cache: &ModuleCache, places: &Arc<Places>, bytes: Arc<[u8]>, limits: &Limits) -> Result<Inspection, String> {
    check_size(&bytes, limits)?;
    shape::check_kind(&bytes)?;
    let (digest, Contents { imports, exports }) = look_at(&bytes).await?;
    shape::check_imports(&imports)?;
    shape::check_exports(&exports)?;
    let begun = Instant::now();
    let Compiled { component, earlier } = cache.component(digest, bytes).await.map_err(|error| match error {
        NotCompiled::Invalid(text) => format!("it does not compile: {text}"),
        NotCompiled::Refused(text) => format!("this node cannot compile it now: {text}"),
    })?;
    let compile_ms = (!earlier).then(|| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    let linked = link(cache.linker(), &component).map_err(|error| format!("its imports or exports do not fit the WIT: {error:#}"))?;
    let tasks = describe::describe(cache.engine(), &linked, limits, places.take_for_nobody()?).await?;
    let compiled_bytes = code_size(&component) as u64;
    cache.keep(digest, &component, linked);
    Ok(Inspection { imports, exports, tasks, compiled_bytes, compile_ms })
}

/// Hashed and validated on a thread of its own: it may be many bytes.
async fn look_at(bytes: &Arc<[u8]>) -> Result<(Digest, Contents), String> {
    let bytes = Arc::clone(bytes);
    let look = move || Ok((Digest::of(&bytes), contents::read(&bytes)?));
    tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?
}

fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), String> {
    if bytes.len() > limits.length(Bound::Module) {
        return Err(format!("{} bytes are {}", bytes.len(), limits.explain(Bound::Module)));
    }
    Ok(())
}
