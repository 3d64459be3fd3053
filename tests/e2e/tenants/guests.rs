//! What a guest can name of others through the host's functions.

use std::fs;

use serde_json::json;

use super::pair::Pair;
use crate::support::repository;

#[test]
fn a_guest_that_waits_for_a_request_of_another_tenant_waits_for_none() {
    let pair = Pair::shared();
    let nobodys = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2";
    let before = pair.everything();
    let message = |id: &str| {
        let request = pair.trying.run("hostile.wait_for", json!([id]));
        assert_eq!(request["state"], "FAILURE", "{request}");
        let own = request["id"].as_str().unwrap().to_owned();
        let error = &request["error"];
        format!("{}: {}", error["kind"], error["message"]).replace(id, "ID").replace(&own, "OWN")
    };
    let none = message(nobodys);
    assert!(none.contains("is no child of request"), "{none}");
    for id in &pair.ids {
        assert_eq!(message(id), none);
    }
    assert_eq!(pair.everything(), before);
}

/// Whatever else a guest could name a request by would need a test as the one above.
#[test]
fn a_guest_names_requests_in_a_wait_and_nowhere_else() {
    let mut naming = Vec::new();
    for file in fs::read_dir(repository().join("wit")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wit") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap());
        for statement in lines.collect::<Vec<_>>().join(" ").split(';') {
            let Some((name, signature)) = statement.split_once(": func(") else { continue };
            let parameters = signature.split("->").next().unwrap();
            if parameters.contains("request-id") || parameters.contains("tenant") {
                naming.push(format!("{}.{}", path.file_stem().unwrap().display(), name.split_whitespace().last().unwrap()));
            }
        }
    }
    assert_eq!(naming, ["requests.wait"]);
    // A request that is submitted is the guest's own child: its id and tenant are not the guest's to say.
    let requests = fs::read_to_string(repository().join("wit/requests.wit")).unwrap();
    let new = requests.split("record new-request {").nth(1).unwrap().split('}').next().unwrap();
    let fields: Vec<_> =
        new.lines().map(str::trim).filter(|line| !line.starts_with("//")).filter_map(|line| line.split_once(':')).collect();
    assert!(fields.len() > 3 && fields.iter().all(|(_, kind)| !kind.contains("request-id")), "{fields:?}");
    assert!(fields.iter().all(|(name, _)| !["id", "tenant", "parent", "stack"].contains(name)), "{fields:?}");
}
