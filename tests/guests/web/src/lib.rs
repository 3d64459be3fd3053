//! Tasks that send HTTP requests over WASI's own interface, follow redirects themselves, and read what their tenant is configured with.
//! Some of them misbehave.

mod client;
mod config;
mod hostile;

use std::collections::BTreeMap;

use mogbox_guest::serde_json::{Value, json};
use mogbox_guest::task;

use client::{Call, send};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Sends a request, and answers `{"status", "headers", "body"}`, or `{"error"}` where there was no answer.
#[task(name = "web.fetch")]
fn fetch(url: String, method: Option<String>, headers: Option<BTreeMap<String, String>>, body: Option<String>) -> Value {
    let method = method.unwrap_or_else(|| "GET".into());
    shown(send(&Call { url, method, headers: headers.unwrap_or_default(), body: body.unwrap_or_default(), patience_ms: None }))
}

/// The same with redirects followed, each as a request of its own.
#[task(name = "web.follow")]
fn follow(url: String) -> Value {
    let mut url = url;
    for _ in 0..MAX_REDIRECTS {
        match send(&Call::get(&url)) {
            Ok(answer) if (300..400).contains(&answer.status) => match answer.headers.get("location") {
                Some(next) => url = next.clone(),
                None => return shown(Ok(answer)),
            },
            other => return shown(other),
        }
    }
    json!({ "error": "too many redirects" })
}

/// Sends so many requests, one after the other, and answers how each ended.
#[task(name = "web.fetch_often")]
fn fetch_often(url: String, times: usize) -> Vec<String> {
    let one = |_| match send(&Call::get(&url)) {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error,
    };
    (0..times).map(one).collect()
}

/// Waits for an answer no longer than so many milliseconds.
#[task(name = "web.fetch_patiently")]
fn fetch_patiently(url: String, ms: u64) -> Value {
    shown(send(&Call { patience_ms: Some(ms), ..Call::get(&url) }))
}

/// Answers everything that the tenant is configured with.
#[task(name = "web.config")]
fn configured() -> Value {
    json!({ "all": config::all(), "none": config::get("no-such-key") })
}

fn shown(answer: Result<client::Answer, String>) -> Value {
    match answer {
        Ok(client::Answer { status, headers, body }) => json!({ "status": status, "headers": headers, "body": body }),
        Err(error) => json!({ "error": error }),
    }
}

mogbox_guest::tasks![
    fetch,
    follow,
    fetch_often,
    fetch_patiently,
    configured,
    hostile::many_headers,
    hostile::many_fields,
    hostile::huge_texts,
    hostile::never_sent,
    hostile::never_read,
    hostile::never_awaited,
    hostile::endless_body,
    hostile::many_bodies,
    hostile::empty_writes,
    hostile::forbidden_headers,
    hostile::wrong_length,
    hostile::smuggle,
];

#[cfg(test)]
mod tests {
    use super::TASKS;

    #[test]
    fn every_task_is_named_after_the_module() {
        assert!(TASKS.describe().iter().all(|task| task.name.starts_with("web.")));
    }
}
