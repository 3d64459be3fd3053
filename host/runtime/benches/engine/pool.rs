//! What each setting of the pool of memories, tables and stacks does to the cost of one bare call.

use cpu_time::ThreadTime;
use mogbox_core::Json;
use mogbox_runtime::EngineSettings;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bare::Bare;
use crate::modules;
use crate::report::Report;
use crate::world::json;

const ROUNDS: usize = 30;
const CALLS: usize = 100;

/// What is changed of the settings that a node runs with.
type Change = fn(&mut Config, &mut PoolingAllocationConfig);

const CHANGES: [(&str, Change); 12] = [
    ("as_it_is", |_, _| {}),
    ("without_pagemap_scan", |_, pool| {
        pool.pagemap_scan(Enabled::No);
    }),
    ("nothing_resident", |_, pool| {
        pool.linear_memory_keep_resident(0).table_keep_resident(0);
    }),
    ("no_table_resident", |_, pool| {
        pool.table_keep_resident(0);
    }),
    ("64KiB_resident", |_, pool| {
        pool.linear_memory_keep_resident(64 << 10);
    }),
    ("2MiB_resident", |_, pool| {
        pool.linear_memory_keep_resident(2 << 20);
    }),
    ("stacks_not_zeroed", |config, _| {
        config.async_stack_zeroing(false);
    }),
    ("stacks_zeroed_none_resident", |config, pool| {
        config.async_stack_zeroing(true);
        pool.async_stack_keep_resident(0);
    }),
    ("stacks_zeroed_32KiB_resident", |config, pool| {
        config.async_stack_zeroing(true);
        pool.async_stack_keep_resident(32 << 10);
    }),
    ("stacks_zeroed_128KiB_resident", |config, pool| {
        config.async_stack_zeroing(true);
        pool.async_stack_keep_resident(128 << 10);
    }),
    ("stacks_zeroed_in_batches_of_16", |config, pool| {
        config.async_stack_zeroing(true);
        pool.async_stack_keep_resident(32 << 10).decommit_batch_size(16);
    }),
    ("on_demand", |config, _| {
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    }),
];

pub(crate) fn bench(report: &mut Report) {
    let module = modules::bench();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, change) in CHANGES {
        let bare = Bare::new(&changed(name, change), &module);
        for (task, args) in [("bench.noop", vec![]), ("bench.touch", vec![json("88")])] {
            let samples: Vec<f64> = (0..ROUNDS).map(|_| runtime.block_on(cost(&bare, task, &args))).collect();
            report.tell(&format!("pool_{name}_{}", task.trim_start_matches("bench.")), "us", &samples);
        }
    }
}

fn changed(name: &str, change: Change) -> Config {
    let settings = EngineSettings { max_instances: 1_000, ..EngineSettings::default() };
    let (mut config, mut pool) = (settings.config(), settings.pool());
    change(&mut config, &mut pool);
    if name != "on_demand" {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred")]
async fn cost(bare: &Bare, task: &str, args: &[Json]) -> f64 {
    let cpu = ThreadTime::now();
    for _ in 0..CALLS {
        bare.run(task, args).await;
    }
    cpu.elapsed().as_secs_f64() * 1e6 / CALLS as f64
}
