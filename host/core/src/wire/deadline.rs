//! Deadlines as Mognet's parser reads them: an ISO 8601 duration, a number of seconds, or a time stamp with or without zone.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::request::Deadline;

/// Durations beyond this are cut to it, so that sums with the present time stay in range: 1,000 years.
pub const LONGEST: i64 = 1_000 * 366 * 86_400;

impl Serialize for Deadline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Deadline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DeadlineVisitor)
    }
}

struct DeadlineVisitor;

impl Visitor<'_> for DeadlineVisitor {
    type Value = Deadline;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an ISO 8601 duration such as PT30S, a number of seconds, or a time stamp such as 2026-11-25T12:00:00Z")
    }

    fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Deadline, E> {
        Ok(Deadline::After(SignedDuration::from_secs(seconds.clamp(-LONGEST, LONGEST))))
    }

    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Deadline, E> {
        self.visit_i64(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Deadline, E> {
        #[expect(clippy::cast_precision_loss, reason = "the bound is exact in a double")]
        let clamped = seconds.clamp(-(LONGEST as f64), LONGEST as f64);
        SignedDuration::try_from_secs_f64(clamped).map(Deadline::After).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Deadline, E> {
        parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(&text.chars().take(80).collect::<String>()), &self))
    }
}

fn parse(text: &str) -> Option<Deadline> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok().map(Deadline::At);
    }
    if text.trim_start_matches(['-', '+']).starts_with('P') {
        let span: Span = text.parse().ok()?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        let longest = SignedDuration::from_secs(LONGEST);
        return Some(Deadline::After(duration.clamp(-longest, longest)));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(Deadline::At(moment));
    }
    text.parse::<DateTime>().ok().map(Deadline::AtLocal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Deadline {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_form_that_mognet_reads_is_read() {
        let after = |millis| Deadline::After(SignedDuration::from_millis(millis));
        let at = |text: &str| Deadline::At(text.parse().unwrap());
        let cases = [
            (r#""PT90.5S""#, after(90_500)),
            (r#""P1DT2H""#, after(93_600_000)),
            (r#""-PT5S""#, after(-5_000)),
            ("90", after(90_000)),
            ("90.5", after(90_500)),
            ("1764072000", after(1_764_072_000_000)),
            (r#""90""#, at("1970-01-01T00:01:30Z")),
            (r#""2026-11-25T12:00:00Z""#, at("2026-11-25T12:00:00Z")),
            (r#""2026-11-25T12:00:00""#, Deadline::AtLocal("2026-11-25T12:00:00".parse().unwrap())),
        ];
        for (json, expected) in cases {
            assert_eq!(read(json), expected, "{json}");
        }
    }

    #[test]
    fn durations_and_time_stamps_are_written_as_mognet_writes_them() {
        for text in [r#""PT1M30.5S""#, r#""2026-11-25T12:00:00Z""#, r#""2026-11-25T12:00:00""#] {
            assert_eq!(serde_json::to_string(&read(text)).unwrap(), text);
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_is_expected() {
        for bad in [r#""soon""#, r#""""#, "true", "[]", r#""P1Y""#] {
            assert!(serde_json::from_str::<Deadline>(bad).is_err(), "{bad}");
        }
        let error = serde_json::from_str::<Deadline>(r#""soon""#).unwrap_err().to_string();
        assert!(error.contains("\"soon\"") && error.contains("PT30S"), "{error}");
        assert!(matches!(read("1e300"), Deadline::After(_)));
        assert!(matches!(read("18446744073709551615"), Deadline::After(_)));
    }
}
