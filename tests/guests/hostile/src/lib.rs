//! Tasks that misbehave, each in one way: what the sandbox must survive. They prove nothing by themselves and run only in tests.

mod answers;
mod calls;
mod children;
mod compute;
mod ends;
mod memory;
mod reach;

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
    calls::log_flood,
    calls::print_flood,
    calls::metadata_calls,
    calls::set_metadata_over_bound,
    calls::state_over_bound,
    calls::set_metadata,
    calls::set_metadata_bit_by_bit,
    calls::set_state,
    calls::store_deep_json,
    calls::say,
    children::children,
    children::child_with_arguments,
    children::child_with_deep_argument,
    children::wait_for_itself,
    children::wait_for_each_other,
    children::wait_for_ever,
    children::wait_for,
    children::child_with_metadata,
    children::wait_for_many,
    children::descend,
    children::hoard,
    reach::reach_out,
    ends::Raw,
    ends::fail_at_length,
    ends::fail,
    ends::invalid_arguments,
    ends::unknown,
    ends::retry_for_ever,
    ends::pause_for_ever,
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
