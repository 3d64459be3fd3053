//! The bounds of a request and of an attempt: each has a name, a default, a hard maximum, and an error that says all three.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod overrides;
mod unit;

pub use overrides::Overrides;
pub use unit::Unit;
use unit::{GIB, HOUR, KIB, MIB, SECOND};

/// Declares every bound once: its field, name, unit, default, hard maximum and what it is for.
macro_rules! bounds {
    ($($(#[$doc:meta])* $variant:ident $field:ident $name:literal $unit:ident $default:expr, $maximum:expr;)*) => {
        /// A bound, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Bound { $($(#[$doc])* $variant,)* }

        /// The values of all bounds. Sizes in bytes, times in milliseconds.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits { $($(#[$doc])* pub $field: u64,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Bound {
            /// Every bound.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, as in configuration and errors.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it counts in.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)* }
            }

            /// The value where nothing is configured.
            #[must_use]
            pub const fn default_value(self) -> u64 {
                match self { $(Self::$variant => $default,)* }
            }

            /// The most that can be configured.
            #[must_use]
            pub const fn maximum(self) -> u64 {
                match self { $(Self::$variant => $maximum,)* }
            }
        }

        impl Limits {
            /// The value of a bound.
            #[must_use]
            pub const fn get(&self, bound: Bound) -> u64 {
                match bound { $(Bound::$variant => self.$field,)* }
            }

            fn slot(&mut self, bound: Bound) -> &mut u64 {
                match bound { $(Bound::$variant => &mut self.$field,)* }
            }
        }
    };
}

bounds! {
    /// Memory of an attempt, over all its memories and tables.
    Memory memory "memory" Bytes 64 * MIB, 4 * GIB;
    /// Share of a node's memory for guests that those of one tenant may hold together.
    TenantMemory tenant_memory "tenant-memory" Percent 50, 100;
    /// Wall time of an attempt.
    WallTime wall_time "wall-time" Milliseconds 300 * SECOND, 24 * HOUR;
    /// CPU time of an attempt.
    CpuTime cpu_time "cpu-time" Milliseconds 60 * SECOND, 24 * HOUR;
    /// Calls from an attempt to the host.
    HostCalls host_calls "host-calls" Count 100_000, 100_000_000;
    /// Time of one call from an attempt to the host; waits for children have their own.
    CallTime call_time "call-time" Milliseconds 10 * SECOND, 600 * SECOND;
    /// Bytes in and out of an attempt's calls to the host.
    HostBytes host_bytes "host-bytes" Bytes 64 * MIB, 16 * GIB;
    /// A value that a task returns.
    Result result "result" Bytes 4 * MIB, 64 * MIB;
    /// All arguments of a request.
    Arguments arguments "arguments" Bytes MIB, 16 * MIB;
    /// Keys of a result's metadata.
    MetadataKeys metadata_keys "metadata-keys" Count 128, 10_000;
    /// All metadata of a result.
    Metadata metadata "metadata" Bytes 256 * KIB, 16 * MIB;
    /// Keys of a request's state.
    StateKeys state_keys "state-keys" Count 128, 10_000;
    /// All state of a request.
    State state "state" Bytes 4 * MIB, 64 * MIB;
    /// Log lines of an attempt.
    LogLines log_lines "log-lines" Count 1_000, 100_000;
    /// Log text of an attempt.
    Log log "log" Bytes 256 * KIB, 16 * MIB;
    /// Children of a request.
    Children children "children" Count 1_000, 100_000;
    /// Ancestors of a request.
    Depth depth "depth" Count 64, 1_000;
    /// Further attempts after one that ended unexpectedly or asked for a retry.
    Retries retries "retries" Count 3, 100;
    /// HTTP requests of an attempt, sent or refused.
    HttpRequests http_requests "http-requests" Count 100, 10_000;
    /// Bytes in and out of an attempt's HTTP requests.
    HttpBytes http_bytes "http-bytes" Bytes 16 * MIB, GIB;
    /// Time of one HTTP request.
    HttpTime http_time "http-time" Milliseconds 30 * SECOND, 600 * SECOND;
    /// HTTP requests of one tenant that a node sends at once.
    HttpConcurrency http_concurrency "http-concurrency" Count 16, 1_000;
    /// An uploaded module.
    Module module "module" Bytes 64 * MIB, GIB;
    /// Modules of a tenant.
    Modules modules "modules" Count 1_000, 1_000;
    /// All versions of all modules that are kept of a tenant.
    ModuleBytes module_bytes "module-bytes" Bytes 16 * GIB, 1_024 * GIB;
    /// Requests of a tenant that run at the same time, over all nodes.
    InFlight in_flight "in-flight" Count 1_000, 1_000_000;
    /// Requests of a tenant that wait for their turn or their time.
    Queued queued "queued" Count 10_000_000, 1_000_000_000;
    /// Requests that a tenant may submit through one node in a second.
    Submissions submissions "submissions" Count 100_000, 10_000_000;
    /// What a tenant's requests store in a day (UTC): arguments, metadata, state, values and reports.
    Stored stored "stored" Bytes 1_024 * GIB, 1_024 * 1_024 * GIB;
    /// Time that a module takes to compile.
    CompileTime compile_time "compile-time" Milliseconds 60 * SECOND, 600 * SECOND;
    /// Memory that a module takes to compile.
    CompileMemory compile_memory "compile-memory" Bytes GIB, 16 * GIB;
}

impl Bound {
    /// The least that can be configured: 0 where an attempt can do without.
    #[must_use]
    pub const fn minimum(self) -> u64 {
        match self {
            Self::Memory => 64 * KIB,
            Self::TenantMemory
            | Self::WallTime
            | Self::CpuTime
            | Self::CallTime
            | Self::HostCalls
            | Self::HostBytes
            | Self::Result
            | Self::InFlight
            | Self::Submissions
            | Self::CompileTime
            | Self::HttpTime
            | Self::HttpConcurrency
            | Self::Module => 1,
            Self::CompileMemory => 64 * MIB,
            _ => 0,
        }
    }
}

impl Bound {
    /// The bound of that name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn named(name: &str) -> Result<Self, LimitError> {
        Self::ALL.iter().copied().find(|bound| bound.name() == name).ok_or_else(|| LimitError::Unknown {
            name: shortened(name),
            known: Self::ALL.iter().map(|bound| bound.name()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The bound of that name with a value that it may have, such as `memory` and `128MiB`.
    ///
    /// # Errors
    /// Where there is no such bound, the value is malformed, or it is under the minimum or over the hard maximum.
    pub fn read(name: &str, value: &str) -> Result<(Self, u64), LimitError> {
        let bound = Self::named(name)?;
        let parsed = bound.unit().parse(value);
        let malformed = || LimitError::Malformed { bound, value: shortened(value), expected: bound.unit().expected() };
        let number = parsed.ok_or_else(malformed)?;
        if number < bound.minimum() {
            return Err(LimitError::TooSmall { bound, value: value.to_owned(), minimum: bound.unit().show(bound.minimum()) });
        }
        if number > bound.maximum() {
            return Err(LimitError::TooLarge { bound, value: value.to_owned(), maximum: bound.unit().show(bound.maximum()) });
        }
        Ok((bound, number))
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A setting that names no bound, or a value that does not fit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// No such bound.
    #[error("unknown bound {name:?}: expected one of {known}")]
    Unknown {
        /// As given.
        name: String,
        /// Every name there is.
        known: String,
    },
    /// Not a number of the bound's unit.
    #[error("invalid value {value:?} for the bound {bound}: expected {expected}")]
    Malformed {
        /// Which bound.
        bound: Bound,
        /// As given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// So little that no attempt could run.
    #[error("{value} is under the minimum of the bound {bound}, {minimum}")]
    TooSmall {
        /// Which bound.
        bound: Bound,
        /// As given.
        value: String,
        /// What is allowed, with its unit.
        minimum: String,
    },
    /// More than the hard maximum.
    #[error("{value} is over the maximum of the bound {bound}, {maximum}")]
    TooLarge {
        /// Which bound.
        bound: Bound,
        /// As given.
        value: String,
        /// What is allowed, with its unit.
        maximum: String,
    },
}

impl Limits {
    /// Sets a bound from text, such as `memory` and `128MiB`.
    ///
    /// # Errors
    /// Where there is no such bound, the value is malformed, or it is over the hard maximum.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LimitError> {
        let (bound, number) = Bound::read(name, value)?;
        *self.slot(bound) = number;
        Ok(())
    }

    /// These bounds, but for those that are laid down otherwise.
    #[must_use]
    pub fn with(&self, overrides: &Overrides) -> Self {
        let mut limits = self.clone();
        overrides.iter().for_each(|(bound, number)| *limits.slot(bound) = number);
        limits
    }

    /// These bounds, but for those that are laid down lower.
    #[must_use]
    pub fn lowered(&self, overrides: &Overrides) -> Self {
        let mut limits = self.clone();
        overrides.iter().for_each(|(bound, number)| *limits.slot(bound) = number.min(self.get(bound)));
        limits
    }

    /// The value of a bound with its unit, for people.
    #[must_use]
    pub fn show(&self, bound: Bound) -> String {
        bound.unit().show(self.get(bound))
    }

    /// One sentence for whoever went over a bound: what it is and how to raise it.
    #[must_use]
    pub fn explain(&self, bound: Bound) -> String {
        over_bound(bound, &self.show(bound))
    }

    /// A time bound as a duration.
    #[must_use]
    pub fn duration(&self, bound: Bound) -> Duration {
        Duration::from_millis(self.get(bound))
    }

    /// A size or count bound as a length of this machine.
    #[must_use]
    pub fn length(&self, bound: Bound) -> usize {
        usize::try_from(self.get(bound)).unwrap_or(usize::MAX)
    }
}

/// The sentence that names a bound, its value and how to raise it, where that can be.
#[must_use]
pub fn over_bound(bound: Bound, limit: &str) -> String {
    let maximum = bound.unit().show(bound.maximum());
    if limit == maximum {
        return format!("over the bound {bound} of {limit}, which is the most that any node allows");
    }
    format!("over the bound {bound} of {limit}; a node started with --limit {bound}=VALUE raises it, up to {maximum}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_set_from_text_with_a_unit() {
        let mut limits = Limits::default();
        limits.set("memory", "128MiB").unwrap();
        limits.set("wall-time", "1500ms").unwrap();
        limits.set("children", "7").unwrap();
        limits.set("tenant-memory", "25%").unwrap();
        assert_eq!((limits.memory, limits.wall_time, limits.children, limits.tenant_memory), (128 * MIB, 1_500, 7, 25));
        assert_eq!((limits.show(Bound::Memory), limits.show(Bound::WallTime)), ("128MiB".into(), "1500ms".into()));
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_is_allowed() {
        let mut limits = Limits::default();
        let text = |result: Result<(), LimitError>| result.unwrap_err().to_string();
        assert!(text(limits.set("memroy", "1")).starts_with("unknown bound \"memroy\": expected one of memory,"));
        assert_eq!(
            text(limits.set("memory", "12")),
            "invalid value \"12\" for the bound memory: expected a size such as 512KiB, 64MiB or 2GiB"
        );
        assert_eq!(text(limits.set("memory", "5GiB")), "5GiB is over the maximum of the bound memory, 4GiB");
        assert!(text(limits.set("memory", "99999999999999GiB")).starts_with("invalid value"));
        assert_eq!(text(limits.set("tenant-memory", "101%")), "101% is over the maximum of the bound tenant-memory, 100%");
        assert!(text(limits.set("tenant-memory", "1GiB")).ends_with("expected a share such as 50%"));
        assert_eq!(text(limits.set("wall-time", "0s")), "0s is under the minimum of the bound wall-time, 1ms");
        limits.set("children", "0").unwrap();
        limits = Limits::default();
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn a_bound_that_cannot_be_raised_is_said_to_be_the_most_there_is() {
        let mut limits = Limits::default();
        let raised = "over the bound memory of 64MiB; a node started with --limit memory=VALUE raises it, up to 4GiB";
        assert_eq!(limits.explain(Bound::Memory), raised);
        limits.set("memory", "4096MiB").unwrap();
        assert_eq!(limits.explain(Bound::Memory), "over the bound memory of 4GiB, which is the most that any node allows");
    }

    #[test]
    fn no_default_is_over_its_maximum() {
        for bound in Bound::ALL {
            assert!(bound.default_value() <= bound.maximum(), "{bound}");
        }
    }
}
