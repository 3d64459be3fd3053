//! Figures as lines for programs, at once, and as a table for people, at the end.

use std::fmt;

/// Figures so far.
#[derive(Default)]
pub(crate) struct Report(Vec<Figure>);

struct Figure {
    metric: String,
    value: f64,
    unit: &'static str,
    least: f64,
    most: f64,
    repetitions: usize,
}

impl Report {
    /// Tells the median of some samples.
    pub(crate) fn tell(&mut self, metric: &str, unit: &'static str, samples: &[f64]) {
        self.tell_quantile(metric, unit, samples, 0.5);
    }

    /// Tells a quantile of some samples.
    pub(crate) fn tell_quantile(&mut self, metric: &str, unit: &'static str, samples: &[f64], wanted: f64) {
        let sorted = sorted(samples);
        let (value, least, most) = (quantile(&sorted, wanted), sorted[0], sorted[sorted.len() - 1]);
        let figure = Figure { metric: metric.to_owned(), value, unit, least, most, repetitions: sorted.len() };
        println!("{figure}");
        self.0.push(figure);
    }

    /// The table.
    pub(crate) fn show_table(&self) {
        println!("\n{:<44} {:>12} {:<6} {:>12} {:>12} {:>6}", "", "", "", "min", "max", "reps");
        for Figure { metric, value, unit, least, most, repetitions } in &self.0 {
            println!("{metric:<44} {value:>12.3} {unit:<6} {least:>12.3} {most:>12.3} {repetitions:>6}");
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, value, unit, least, most, repetitions } = self;
        write!(f, "mogbox {metric} {value:.3} {unit}  # min {least:.3} max {most:.3} reps {repetitions}")
    }
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn quantile(sorted: &[f64], wanted: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a few hundred samples")]
    let at = ((sorted.len() - 1) as f64 * wanted).round() as usize;
    sorted[at]
}
