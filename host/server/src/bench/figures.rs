//! What was measured: figures by subject and metric, each with all its repetitions. Knows nothing of how they came about.

use std::fmt::Write as _;

use serde::Serialize;

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

/// All figures, in the order in which they were first measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Adds a repetition of a figure, where there is one.
    pub(crate) fn add(&mut self, subject: &str, metric: &str, value: Option<f64>, unit: &'static str) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let known = self.0.iter_mut().find(|figure| figure.subject == subject && figure.metric == metric);
        match known {
            Some(figure) => {
                figure.values.push(value);
                figure.median = median(&figure.values);
            }
            None => {
                let (subject, metric) = (subject.to_owned(), metric.to_owned());
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
        figures.add("mogbox", "throughput", Some(20_000.4), "tasks/s");
        assert_eq!(figures.all()[0].line(), "mogbox throughput 20000 tasks/s");
        figures.add("mogbox", "idle_rss", None, "MiB");
        figures.add("mogbox@aof", "throughput", Some(1.0), "tasks/s");
        figures.add("mogbox", "throughput", Some(10_000.0), "tasks/s");
        figures.add("mogbox", "throughput", Some(1.234), "tasks/s");
        assert_eq!(figures.all()[0].line(), "mogbox throughput 10000 tasks/s  # min 1.23 max 20000 reps 3");
        assert_eq!(figures.all().len(), 2);
    }

    #[test]
    fn a_value_is_shown_with_the_digits_that_say_something() {
        assert_eq!([0.0, 0.01234, 0.5, 1.0, 12.345, 123.4].map(short), ["0.0000", "0.0123", "0.500", "1.00", "12.3", "123"]);
    }
}
