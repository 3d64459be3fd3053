//! What was measured: figures by subject and metric, each with all its repetitions. Knows nothing of how they came about.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::usage::count;

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// What was measured, such as `mogbox@aof`.
    pub(crate) subject: String,
    /// What of it.
    pub(crate) metric: String,
    /// The median of all repetitions.
    pub(crate) median: f64,
    /// The unit.
    pub(crate) unit: &'static str,
    /// Every repetition, in order.
    pub(crate) values: Vec<f64>,
}

/// What one repetition found, or could not find on this machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    metric: String,
    value: Option<f64>,
    unit: &'static str,
}

/// A figure of one repetition.
pub(crate) fn row(metric: impl Into<String>, value: Option<f64>, unit: &'static str) -> Row {
    Row { metric: metric.into(), value, unit }
}

/// All figures, in the order in which they were first measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Adds a repetition of a figure, where it could be measured.
    pub(crate) fn add(&mut self, subject: &str, row: &Row) {
        let Row { metric, value, unit } = row;
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let known = self.0.iter_mut().find(|figure| figure.subject == subject && figure.metric == *metric);
        match known {
            Some(figure) => {
                figure.values.push(value);
                figure.median = median(&figure.values);
            }
            None => {
                let (subject, metric) = (subject.to_owned(), metric.clone());
                self.0.push(Figure { subject, metric, median: value, unit, values: vec![value] });
            }
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Figure] {
        &self.0
    }
}

impl Figure {
    /// One line: subject, metric, value, unit, and how far the repetitions lie apart.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} {} {} {}", self.subject, self.metric, short(self.median), self.unit);
        if self.values.len() > 1 {
            // Writing to a string cannot fail.
            let _ = write!(line, "  # {}", self.spread());
        }
        line
    }

    /// How far the repetitions lie apart.
    pub(crate) fn spread(&self) -> String {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("min {} max {} reps {}", short(least), short(most), self.values.len())
    }
}

/// A value of which three digits are worth reading.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        0.0..0.1 => 4,
        0.1..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// The time, in milliseconds, within which this part of all lies; none of none.
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> Option<f64> {
    times.sort_unstable();
    let place = (count(times.len()) * part).floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list that exists")]
    let time = times.get((place as usize).min(times.len().checked_sub(1)?))?;
    Some(time.as_secs_f64() * 1e3)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (below, above) = (sorted.get((sorted.len().saturating_sub(1)) / 2), sorted.get(sorted.len() / 2));
    f64::midpoint(below.copied().unwrap_or_default(), above.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_median_and_how_far_the_repetitions_lie_apart() {
        let mut figures = Figures::default();
        let throughput = |value| row("throughput", Some(value), "tasks/s");
        figures.add("mogbox", &throughput(20_000.4));
        assert_eq!(figures.all()[0].line(), "mogbox throughput 20000 tasks/s");
        figures.add("mogbox", &row("idle_rss", None, "MiB"));
        figures.add("mogbox@aof", &throughput(1.0));
        figures.add("mogbox", &throughput(10_000.0));
        figures.add("mogbox", &throughput(1.234));
        assert_eq!(figures.all()[0].line(), "mogbox throughput 10000 tasks/s  # min 1.23 max 20000 reps 3");
        assert_eq!(figures.all().len(), 2);
    }

    #[test]
    fn a_quantile_is_a_time_that_was_measured() {
        let mut times: Vec<Duration> = (1..=1_000).rev().map(Duration::from_millis).collect();
        assert_eq!(
            [0.5, 0.99, 0.999, 1.0].map(|part| quantile(&mut times, part)),
            [Some(501.0), Some(991.0), Some(1_000.0), Some(1_000.0)]
        );
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn a_value_is_shown_with_the_digits_that_say_something() {
        assert_eq!([0.0, 0.01234, 0.5, 1.0, 12.345, 123.4].map(short), ["0.0000", "0.0123", "0.500", "1.00", "12.3", "123"]);
    }
}
