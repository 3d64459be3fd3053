//! Scripts of the stores: each file with what it shares before it.

/// A script of these files, in this order, made once.
macro_rules! script {
    ($($file:literal),+) => {
        std::sync::LazyLock::new(|| redis::Script::new(concat!($(include_str!($file)),+)))
    };
}
pub(super) use script;

/// What all scripts share that deal with numbers.
pub(super) const NUMBERS: &str = include_str!("numbers.lua");
