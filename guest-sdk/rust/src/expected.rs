//! A JSON Schema in a few words, for people who gave something else.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

/// What JSON a type takes, such as `array of integer (uint8)`.
pub(crate) fn words<T: JsonSchema>() -> String {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    describe(schema.as_value(), true)
}

fn describe(schema: &Value, root: bool) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(reference) = text("$ref") {
        return reference.rsplit('/').next().unwrap_or(reference).to_owned();
    }
    if let Some(values) = list("enum") {
        return format!("one of {}", joined(values.iter().map(Value::to_string), ", "));
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(choices) = list("anyOf").or_else(|| list("oneOf")) {
        return joined(choices.iter().map(|choice| describe(choice, false)), " or ");
    }
    if let Some(types) = list("type") {
        return joined(types.iter().filter_map(Value::as_str).map(ToOwned::to_owned), " or ");
    }
    match text("type") {
        Some("object") => object(schema, text("title").filter(|_| root)),
        Some("array") => schema.get("items").map_or_else(|| "array".to_owned(), |items| format!("array of {}", describe(items, false))),
        Some(name) => text("format").filter(|_| name == "integer").map_or_else(|| name.to_owned(), |format| format!("{name} ({format})")),
        None => "any JSON".to_owned(),
    }
}

fn object(schema: &Value, title: Option<&str>) -> String {
    let properties = schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty());
    let keys = properties.map(|properties| joined(properties.keys().cloned(), ", "));
    match (title, keys) {
        (Some(title), Some(keys)) => format!("object {title} with {keys}"),
        (None, Some(keys)) => format!("object with {keys}"),
        (_, None) => "object".to_owned(),
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
#[allow(dead_code, reason = "only the schemas of these types are looked at")]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(JsonSchema)]
    struct Point {
        x: f64,
        y: f64,
    }

    #[derive(JsonSchema)]
    enum Colour {
        Red,
        Green,
    }

    #[test]
    fn types_read_as_json_says_them() {
        assert_eq!(words::<f64>(), "number");
        assert_eq!(words::<Vec<i64>>(), "array of integer (int64)");
        assert_eq!(words::<Option<String>>(), "string or null");
        assert_eq!(words::<Point>(), "object Point with x, y");
        assert_eq!(words::<Vec<Point>>(), "array of Point");
        assert_eq!(words::<Colour>(), "one of \"Red\", \"Green\"");
        assert_eq!(words::<BTreeMap<String, u8>>(), "object");
        assert_eq!(words::<Value>(), "any JSON");
    }
}
