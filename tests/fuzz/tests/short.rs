//! A short run of each target, the same inputs each time. A long one is `make fuzz`.

use mogbox_fuzz::mutate::Mutator;
use mogbox_fuzz::{TARGETS, target};

fn short_run(name: &str) {
    let target = target(name);
    let seeds = (target.seeds)();
    seeds.iter().for_each(|seed| (target.run)(seed));
    let mut mutator = Mutator::new(seeds);
    for _ in 0..target.short_run {
        (target.run)(&mutator.input());
    }
}

/// A test for each target, and one that says that there is one for each.
macro_rules! short_runs {
    ($($name:ident)*) => {
        $(#[test] fn $name() { short_run(stringify!($name)); })*

        #[test]
        fn every_target_has_a_short_run_and_a_binary() {
            let tested = [$(stringify!($name)),*];
            let binaries = include_str!("../libfuzzer/Cargo.toml");
            for target in TARGETS {
                assert!(tested.contains(&target.name), "{}", target.name);
                assert!(binaries.contains(&format!("[[bin]]\nname = \"{}\"\n", target.name)), "{}", target.name);
            }
            assert_eq!(tested.len(), TARGETS.len());
        }
    };
}

short_runs! {
    answers arguments command_line configuration context control deadline documents exceptions http log message module requests result state value
}
