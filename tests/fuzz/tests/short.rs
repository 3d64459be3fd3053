//! A short run of each target, the same inputs each time. A long one is `make fuzz`.

use std::collections::HashSet;

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

/// Name and version of every package in a lock file: its first two lines.
fn locked(text: &str) -> HashSet<(&str, &str)> {
    let mut packages = HashSet::new();
    for package in text.split("[[package]]\n").skip(1) {
        let mut lines = package.lines();
        packages.extend(lines.next().zip(lines.next()));
    }
    packages
}

#[test]
fn what_is_fuzzed_has_the_versions_that_ship() {
    let ours = locked(include_str!("../../../Cargo.lock"));
    let names: HashSet<_> = ours.iter().map(|(name, _)| *name).collect();
    let fuzzed = locked(include_str!("../libfuzzer/Cargo.lock"));
    let others: Vec<_> = fuzzed.difference(&ours).filter(|(name, _)| names.contains(name)).collect();
    assert!(
        fuzzed.len() > 100 && others.is_empty(),
        "copy the workspace's lock file to libfuzzer/ and run cargo metadata there: {others:?}"
    );
}
