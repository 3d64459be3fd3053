//! What bounds count in, and how their values are written.

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;
pub(super) const SECOND: u64 = 1_000;
pub(super) const HOUR: u64 = 3_600 * SECOND;

/// What a bound counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, written as `64MiB`.
    Bytes,
    /// Milliseconds, written as `30s`.
    Milliseconds,
    /// A plain number.
    Count,
    /// Hundredths of a whole, written as `50%`.
    Percent,
}

const SIZES: [(&str, u64); 4] = [("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];
const PERCENT: [(&str, u64); 1] = [("%", 1)];
const TIMES: [(&str, u64); 4] = [("ms", 1), ("h", HOUR), ("m", 60 * SECOND), ("s", SECOND)];

impl Unit {
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Bytes => "a size such as 512KiB, 64MiB or 2GiB",
            Self::Milliseconds => "a time such as 500ms, 30s, 5m or 1h",
            Self::Count => "a whole number",
            Self::Percent => "a share such as 50%",
        }
    }

    /// Reads a value with its unit; none where it is malformed.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<u64> {
        let units: &[(&str, u64)] = match self {
            Self::Bytes => &SIZES,
            Self::Milliseconds => &TIMES,
            Self::Count => &[("", 1)],
            Self::Percent => &PERCENT,
        };
        let split = |(suffix, factor): &(&str, u64)| text.strip_suffix(suffix)?.trim_end().parse::<u64>().ok()?.checked_mul(*factor);
        units.iter().find_map(split)
    }

    /// A value with its unit, in the largest unit that leaves a whole number.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        let units: &[(&str, u64)] = match self {
            Self::Bytes => &SIZES,
            Self::Milliseconds => &[("h", HOUR), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1)],
            Self::Count => &[("", 1)],
            Self::Percent => &PERCENT,
        };
        let fits = units.iter().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
        fits.map_or_else(
            || format!("{value}{}", units.last().map_or("", |unit| unit.0)),
            |(suffix, factor)| format!("{}{suffix}", value / factor),
        )
    }
}
