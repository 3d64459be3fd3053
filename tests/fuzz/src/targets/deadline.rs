//! `deadline`: a deadline as a client or Mognet writes it, as JSON or as the text in it.

use jiff::Timestamp;
use mogbox_core::Deadline;

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "deadline", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for read in [serde_json::from_slice(data), serde_json::from_value(text.as_ref().into())] {
        match read {
            Ok(deadline) => check(deadline),
            Err(error) => assert!(error.to_string().len() < 2_000, "{error}"),
        }
    }
}

fn check(deadline: Deadline) {
    let written = serde_json::to_string(&deadline).expect("a deadline is written as text");
    let again: Deadline = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{written} is not read again: {error}"));
    assert_eq!(again, deadline, "{written}");
    for start in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        assert_eq!(again.remaining(start), deadline.remaining(start));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    crate::lines(
        r#"30
-1.5
1e308
"PT30S"
PT1H2M3.5S
-P1Y2M3W4DT5H
P99999999999999999999Y
2026-11-25T12:00:00Z
2026-11-25T12:00:00.123456789+02:00
2026-11-25 12:00
2026-11-25T12:00:00[Europe/Vienna]
9223372036854775807
-377705023201
+002026-11-25T24:00:00"#,
    )
}
