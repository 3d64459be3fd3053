//! The calls that a node's own description of its API tells of.

use serde_json::Value;

use crate::support::Api;

/// What names in a path, query or body are those of.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) tenant: String,
    pub(super) id: String,
    pub(super) key: String,
    pub(super) module: String,
    pub(super) digest: String,
    pub(super) task: String,
    pub(super) token: String,
}

impl Names {
    /// Names that nobody has.
    pub(super) fn nobodys() -> Self {
        Self {
            tenant: "nobody".to_owned(),
            id: "9b09b78c-688f-4d40-b7ba-1a1fb10215e2".to_owned(),
            key: "nobodys-key".to_owned(),
            module: "nobodys-module".to_owned(),
            digest: "0123456789abcdef".repeat(4),
            task: "nobodys.task".to_owned(),
            token: "0123456789abcdef".to_owned(),
        }
    }

    /// Each with what stands for it in an answer, so that answers can be compared.
    fn places(&self) -> [(&str, &'static str); 7] {
        [
            (&self.id, "ID"),
            (&self.digest, "DIGEST"),
            (&self.module, "MODULE"),
            (&self.task, "TASK"),
            (&self.token, "TOKEN"),
            (&self.key, "KEY"),
            (&self.tenant, "TENANT"),
        ]
    }

    /// A text without these names. A message that shows the first digits of a digest shows them of either.
    pub(super) fn out_of(&self, text: &str) -> String {
        let text = self.places().iter().fold(text.to_owned(), |text, (name, place)| text.replace(name, place));
        text.replace(self.digest.get(..12).unwrap(), "DIGEST")
    }
}

/// One call.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    /// What its token must be good for; none where no token is needed.
    pub(super) scope: Option<String>,
}

impl Operation {
    /// As it is written in tables.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its path with names put in. Queues belong to the node.
    pub(super) fn path_to(&self, names: &Names) -> String {
        let places = [
            ("{id}", &names.id),
            ("{key}", &names.key),
            ("{name}", &names.module),
            ("{tenant}", &names.tenant),
            ("{token}", &names.token),
            ("{queue}", &"tasks".to_owned()),
        ];
        let path = places.iter().fold(self.path.clone(), |path, (place, name)| path.replace(place, name));
        assert!(!path.contains('{'), "{path}: put in what else is named");
        path
    }
}

/// Every call of a node.
pub(super) fn operations(url: &str) -> Vec<Operation> {
    let description = Api::nobody(url).get("/v1/openapi.json").ok();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, told) in item.as_object().unwrap().iter().filter(|(_, told)| told["responses"] != Value::Null) {
            let scope = told["security"][0]["bearer"][0].as_str().map(ToOwned::to_owned);
            found.push(Operation { method: method.to_uppercase(), path: path.clone(), scope });
        }
    }
    assert!(found.len() >= 30, "only {} calls: the description is not read", found.len());
    found
}
