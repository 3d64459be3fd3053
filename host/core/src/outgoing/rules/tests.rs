//! What a rule allows, and what is no rule.

use super::*;
use crate::outgoing::{Target, Waits};

fn request(method: &str, url: &str) -> OutgoingRequest {
    let (scheme, authority) = url.split_once("://").unwrap();
    let target = Target::parse(Some(scheme), authority, "/").unwrap();
    OutgoingRequest { method: method.into(), target, headers: Vec::new(), body: Vec::new(), waits: Waits::default() }
}

fn allows(rule: &str, method: &str, url: &str) -> bool {
    rule.parse::<HttpRule>().unwrap().allows(&request(method, url))
}

#[test]
fn a_rule_allows_its_methods_scheme_host_and_port_and_nothing_else() {
    let rule = "GET,POST https://api.example.com";
    assert!(allows(rule, "GET", "https://api.example.com") && allows(rule, "POST", "https://API.example.com:443"));
    for (method, url) in [
        ("DELETE", "https://api.example.com"),
        ("get", "https://api.example.com"),
        ("GET", "http://api.example.com"),
        ("GET", "http://api.example.com:443"),
        ("GET", "https://api.example.com:8443"),
        ("GET", "https://example.com"),
        ("GET", "https://api.example.com.evil.example"),
        ("GET", "https://xapi.example.com"),
    ] {
        assert!(!allows(rule, method, url), "{method} {url}");
    }
}

#[test]
fn a_star_stands_for_names_below_or_for_everything() {
    let below = "https://*.example.com:8443";
    assert!(allows(below, "PUT", "https://a.example.com:8443") && allows(below, "PUT", "https://a.b.example.com:8443"));
    assert!(!allows(below, "PUT", "https://example.com:8443") && !allows(below, "PUT", "https://aexample.com:8443"));
    assert!(allows("* http://*:*", "PATCH", "http://127.0.0.1:1234") && allows("http://*", "GET", "http://[::1]"));
    assert!(!allows("http://*", "GET", "http://a:81"));
}

#[test]
fn an_address_of_a_rule_has_one_notation_too() {
    assert!(allows("http://0x7f000001:*", "GET", "http://127.1:5000"));
    assert!(allows("http://[::1]:5000", "GET", "http://[0:0::1]:5000"));
}

#[test]
fn what_is_no_rule_is_named_with_what_is_expected() {
    for (rule, reason) in [
        ("", "no scheme"),
        ("api.example.com", "no scheme"),
        ("ftp://a", "\"ftp\""),
        ("get https://a", "\"get\" is no method"),
        ("GET,,POST https://a", "\"\" is no method"),
        ("https://a.*.b", "a star elsewhere"),
        ("https://*.127.0.0.1", "in front of an address"),
        ("https://a:0", "invalid port \"0\""),
        ("https://a:99999", "invalid port"),
        ("https://a/path", "invalid host \"a/path\""),
        ("https://", "invalid host \"\""),
        ("https://user@a", "invalid host"),
    ] {
        let error = rule.parse::<HttpRule>().unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(&format!("{rule:?}")) && error.contains("GET,POST https://"), "{rule}: {error}");
    }
}

#[test]
fn rules_are_read_again_as_they_were_written() {
    for text in ["https://a", "GET https://*.b:8443", "http://*:*", "GET,POST http://[::1]:80", "http://127.0.0.1:8080"] {
        let rule: HttpRule = text.parse().unwrap();
        let rules = HttpRules::new(vec![rule.clone(), rule.private()]).unwrap();
        let written = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<HttpRules>(&written).unwrap(), rules, "{written}");
    }
    let private = serde_json::from_str::<HttpRules>(r#"[{"allow":"https://a","private":true}]"#).unwrap();
    assert!(private.as_slice()[0].is_private());
    assert!(serde_json::from_str::<HttpRules>(r#"[{"allow":"nonsense"}]"#).is_err());
    let many = vec!["https://a".parse::<HttpRule>().unwrap(); MAX_RULES + 1];
    assert!(HttpRules::new(many).unwrap_err().to_string().contains("100"));
}

#[test]
fn without_rules_and_without_a_fitting_rule_the_answer_says_who_can_allow_it() {
    let denied = |rules: &HttpRules| rules.permit(&request("GET", "https://a:81")).unwrap_err();
    let text = denied(&HttpRules::default()).to_string();
    assert!(text.contains("may send no HTTP requests") && text.contains("GET https://a:81") && text.contains("an operator"), "{text}");
    let some = HttpRules::new(vec!["https://b".parse().unwrap()]).unwrap();
    assert!(denied(&some).to_string().contains("no rule of this tenant allows GET https://a:81"));
}

#[test]
fn of_several_rules_the_one_for_private_addresses_counts() {
    let public: HttpRule = "https://a".parse().unwrap();
    let rules = HttpRules::new(vec![public.clone(), public.private()]).unwrap();
    assert!(rules.permit(&request("GET", "https://a")).unwrap().is_private());
}
