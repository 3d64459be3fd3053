//! Tasks that misbehave, each in one way: what the sandbox must survive. They prove nothing by themselves and run only in tests.

mod answers;
mod calls;
mod compute;
mod memory;

mogbox_guest::tasks![
    compute::trap,
    compute::panic,
    compute::loop_for_ever,
    compute::recurse,
    compute::spin,
    memory::allocate,
    memory::grow,
    answers::big_result,
    answers::deep_json,
    answers::InvalidJson,
    calls::log_flood,
    calls::print_flood,
    calls::metadata_calls,
    calls::set_metadata_over_bound,
    calls::state_over_bound,
    calls::children,
    calls::wait_for_itself,
    calls::wait_for_ever,
    calls::sleep,
];

#[cfg(test)]
mod tests {
    use super::TASKS;

    #[test]
    fn every_task_is_named_after_the_module() {
        assert!(TASKS.describe().iter().all(|task| task.name.starts_with("hostile.")));
    }
}
