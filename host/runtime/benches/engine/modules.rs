//! The guests of the benches, built from source.

use std::path::Path;

use mogbox_guest_builder::Build;

/// Builds the guest of the benches.
pub(crate) fn bench() -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    let build = Build {
        manifest: workspace.join("tests/guests/bench"),
        packages: Vec::new(),
        target_dir: target.clone(),
        output: target.join("components"),
    };
    std::fs::read(&build.run(|_| {}).unwrap()[0].path).unwrap()
}
