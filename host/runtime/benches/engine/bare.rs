//! The engine without a sandbox around it: the same component, configuration and call, and nothing that bounds or counts.

use mogbox_core::Json;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

#[allow(missing_docs, unreachable_pub, unused, clippy::all, reason = "generated code")]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "mogbox:task/task", exports: { default: async } });
}

/// One component, ready to be instantiated.
pub(crate) struct Bare {
    engine: Engine,
    module: bindings::TaskPre<()>,
}

impl Bare {
    pub(crate) fn new(config: &Config, module: &[u8]) -> Self {
        let engine = Engine::new(config).unwrap();
        let component = Component::from_binary(&engine, module).unwrap();
        component.initialize_copy_on_write_image().unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let module = bindings::TaskPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Self { engine, module }
    }

    /// Runs a task in a fresh store and instance.
    pub(crate) async fn run(&self, task: &str, args: &[Json]) -> String {
        let args: Vec<String> = args.iter().map(|json| json.as_str().to_owned()).collect();
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.module.instantiate_async(&mut store).await.unwrap();
        instance.mogbox_task_tasks().call_run(&mut store, task, &args, &[]).await.unwrap().unwrap()
    }
}
