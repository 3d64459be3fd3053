//! The tasks of `tests/python/twin.py`, with the same names and behaviour, so that one test can ask Mognet's own worker and a node.

mod children;
mod demo;
mod metadata;
mod plain;
mod state;

mogbox_guest::tasks![
    demo::add,
    demo::fail,
    demo::meta,
    demo::child,
    demo::rec,
    plain::echo,
    plain::typed,
    plain::text,
    plain::sleep,
    plain::raise,
    plain::request,
    metadata::hold,
    metadata::tick,
    metadata::progress,
    metadata::read,
    metadata::write,
    state::pause,
    state::pause_for_ever,
    state::across,
    state::keep,
    children::spawn,
    children::run_child,
    children::outcome,
    children::lineage,
    children::tree,
    children::run_then_hold,
];

#[cfg(test)]
mod tests {
    use super::TASKS;

    #[test]
    fn every_task_is_named_after_its_part() {
        assert!(TASKS.describe().iter().all(|task| task.name.starts_with("demo.") || task.name.starts_with("twin.")));
    }
}
