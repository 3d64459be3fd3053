//! What a task tells of itself: texts for people, and JSON Schema of its arguments in the order they are declared.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// What a task tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDescription {
    /// The name that requests carry.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// For people, plain text.
    pub description: String,
    /// JSON Schema of an object with one property an argument; arguments by position are in the order of `properties`. JSON text.
    pub parameters: String,
    /// JSON Schema of the value; none where any value may come. JSON text.
    pub returns: Option<String>,
}

/// Gathers a description, argument by argument. For the code that `#[task]` generates.
pub struct Describe {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    generator: SchemaGenerator,
    arguments: Vec<(&'static str, bool, Schema)>,
}

impl Describe {
    /// A description without arguments yet.
    #[must_use]
    pub fn new(name: &'static str, title: &'static str, description: &'static str) -> Self {
        Self { name, title, description, generator: SchemaGenerator::default(), arguments: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument<T: JsonSchema>(mut self, name: &'static str, documentation: &str, required: bool) -> Self {
        let mut schema = self.generator.subschema_for::<T>();
        if !documentation.is_empty() {
            schema.insert("description".to_owned(), documentation.into());
        }
        self.arguments.push((name, required, schema));
        self
    }

    /// Ends with the type of the value.
    #[must_use]
    pub fn returns<T: JsonSchema>(mut self) -> TaskDescription {
        let definitions = self.generator.take_definitions(true);
        let parameters = Parameters { arguments: &self.arguments, definitions };
        let value = SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<T>();
        let any = |schema: &Schema| schema.as_bool() == Some(true) || schema.as_object().is_some_and(says_nothing);
        TaskDescription {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            parameters: text(&parameters),
            returns: Some(value).filter(|schema| !any(schema)).map(|schema| text(&schema)),
        }
    }
}

/// Keys that only name a schema.
fn says_nothing(schema: &Map<String, Value>) -> bool {
    schema.keys().all(|key| ["$schema", "title", "description"].contains(&key.as_str()))
}

/// Schemas are made of maps with text keys, which always serialise.
fn text(schema: &impl Serialize) -> String {
    serde_json::to_string(schema).unwrap_or_else(|_| "true".to_owned())
}

/// The schema of all arguments, written by hand: a JSON object that keeps the order of its keys.
struct Parameters<'a> {
    arguments: &'a [(&'static str, bool, Schema)],
    definitions: Map<String, Value>,
}

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let required: Vec<&str> = self.arguments.iter().filter(|(_, required, _)| *required).map(|(name, _, _)| *name).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("$schema", "https://json-schema.org/draft/2020-12/schema")?;
        map.serialize_entry("type", "object")?;
        map.serialize_entry("properties", &Properties(self.arguments))?;
        map.serialize_entry("required", &required)?;
        map.serialize_entry("additionalProperties", &false)?;
        if !self.definitions.is_empty() {
            map.serialize_entry("$defs", &self.definitions)?;
        }
        map.end()
    }
}

struct Properties<'a>(&'a [(&'static str, bool, Schema)]);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, _, schema)| (name, schema)))
    }
}
