//! JSON Schemas of both directions, under one list of names.
//!
//! A type can differ as a request and as an answer: a key with a default may be left out of one and is always in the
//! other. So each direction has its generator, and a type whose two schemas differ has two names.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where the document has its schemas.
const ANSWERS: &str = "#/components/schemas/";
/// Where those of requests are until both lists become one.
const REQUESTS: &str = "#/components/requests/";
/// Behind the name of a schema of requests that differs from that of answers.
const REQUEST_SUFFIX: &str = "Request";

/// The schemas that a document is made with.
pub(in crate::admin) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = |path: &'static str| {
            let path = path.trim_start_matches('#').trim_end_matches('/');
            SchemaSettings::draft2020_12()
                .with(|settings| {
                    settings.meta_schema = None;
                    settings.definitions_path = path.into();
                })
                .with_transform(Bounds)
                .with_transform(PlainText)
        };
        Self {
            requests: settings(REQUESTS).for_deserialize().into_generator(),
            answers: settings(ANSWERS).for_serialize().into_generator(),
        }
    }

    /// What an answer has.
    pub(in crate::admin) fn answer<T: JsonSchema>(&mut self) -> Value {
        transformed(self.answers.subschema_for::<T>()).to_value()
    }

    /// What a request may have.
    pub(in crate::admin) fn request<T: JsonSchema>(&mut self) -> Value {
        transformed(self.requests.subschema_for::<T>()).to_value()
    }

    /// The same, whole and without a name of its own.
    pub(in crate::admin) fn request_inline<T: JsonSchema>(&mut self) -> Value {
        transformed(T::json_schema(&mut self.requests)).to_value()
    }

    /// Puts the schemas that `document` refers to into one list, and makes its references point there.
    pub(super) fn into_components(mut self, document: &mut Value) -> Map<String, Value> {
        let mut answers = self.answers.take_definitions(true);
        let requests = self.requests.take_definitions(true);
        let apart = differing(&requests, &answers);
        point_to_answers(document, &apart);
        for (name, mut schema) in requests {
            point_to_answers(&mut schema, &apart);
            let name = own_name(&name, &apart);
            answers.entry(name).or_insert(schema);
        }
        answers
    }
}

/// The names whose schemas differ, or refer to some that do.
fn differing(requests: &Map<String, Value>, answers: &Map<String, Value>) -> BTreeSet<String> {
    let mut apart = BTreeSet::new();
    loop {
        let known = apart.len();
        for (name, schema) in requests {
            let mut as_answer = schema.clone();
            point_to_answers(&mut as_answer, &apart);
            if answers.get(name).is_some_and(|answer| *answer != as_answer) {
                apart.insert(name.clone());
            }
        }
        if apart.len() == known {
            return apart;
        }
    }
}

fn own_name(name: &str, apart: &BTreeSet<String>) -> String {
    if apart.contains(name) {
        format!("{name}{REQUEST_SUFFIX}")
    } else {
        name.to_owned()
    }
}

/// Makes references to schemas of requests point to where they will be.
fn point_to_answers(value: &mut Value, apart: &BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(REQUESTS) {
                *text = format!("{ANSWERS}{}", own_name(name, apart));
            }
        }
        Value::Array(items) => {
            for item in items {
                point_to_answers(item, apart);
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                point_to_answers(field, apart);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn transformed(mut schema: Schema) -> Schema {
    Bounds.transform(&mut schema);
    PlainText.transform(&mut schema);
    schema
}

/// Gives integers the bounds of their type, so that a client knows what is refused.
#[derive(Debug, Clone)]
struct Bounds;

impl Transform for Bounds {
    fn transform(&mut self, schema: &mut Schema) {
        let most: Option<u64> = match schema.get("format").and_then(Value::as_str) {
            Some("uint16") => Some(u16::MAX.into()),
            Some("uint32") => Some(u32::MAX.into()),
            Some("uint64" | "uint") => Some(u64::MAX),
            _ => None,
        };
        if let Some(most) = most
            && schema.get("maximum").is_none()
        {
            schema.insert("maximum".to_owned(), most.into());
        }
        transform_subschemas(self, schema);
    }
}

/// Takes the marks of Rust's documentation out of descriptions.
#[derive(Debug, Clone)]
struct PlainText;

impl Transform for PlainText {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = plain(text);
        }
        transform_subschemas(self, schema);
    }
}

/// A link becomes the name that it shows, and a paragraph one line.
pub(super) fn plain(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, link)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, after)) = link.split_once("`]") else {
            plain.push_str("[`");
            rest = link;
            continue;
        };
        plain.push('`');
        plain.push_str(name);
        plain.push('`');
        let target = after.strip_prefix('(');
        rest = target
            .and_then(|target| Some(target.split_once(')')?.1))
            .unwrap_or(after);
    }
    plain.push_str(rest);
    let paragraphs = plain.split("\n\n");
    let paragraphs: Vec<String> = paragraphs.map(|lines| lines.replace('\n', " ")).collect();
    paragraphs.join("\n\n")
}
