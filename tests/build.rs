//! Builds every guest of the workspace into components and writes a constant with the path of each: a test names its guest by
//! the constant, so a guest that is gone does not compile.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use mogbox_guest_builder::Build;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    for watched in ["examples", "guest-sdk", "wit", "tests/guests", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE-HASH/out: the guests' folder stands beside the profiles, one for all.
    let target = out.ancestors().nth(4).ok_or("OUT_DIR has no target folder above it")?.join("guests");
    let build = Build { manifest: root, packages: Vec::new(), target_dir: target.clone(), output: target.join("components") };
    let components = build.run(|_| {})?;
    let mut constants = String::new();
    let mut examples = Vec::new();
    for component in components {
        let name = component.package.to_uppercase().replace('-', "_");
        writeln!(
            constants,
            "/// `{}`\n#[allow(dead_code, reason = \"some are for other suites\")]\npub(crate) const {name}: &str = {:?};",
            component.package, component.path
        )?;
        if component.package.starts_with("example-") {
            examples.push(name);
        }
    }
    writeln!(constants, "/// What users copy.\npub(crate) const EXAMPLES: &[&str] = &[{}];", examples.join(", "))?;
    std::fs::write(out.join("guests.rs"), constants)?;
    Ok(())
}
