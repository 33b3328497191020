//! The document is of the table of routes, whole, and of a form that readers take.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::described;
use super::input::path_parameter;
use super::schemas::plain;
use super::{Schemas, document};
use crate::admin::api;
use crate::admin::routes::Route;

fn routes() -> Vec<Route> {
    api::routes().list().to_vec()
}

/// Every string of a key, wherever it is.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == key
                    && let Some(text) = field.as_str()
                {
                    found.push(text);
                }
                all(field, key, found);
            }
        }
        _ => {}
    }
}

/// A sentence each, and none twice. That all are there needs no test: the table builds the router.
#[test]
fn every_route_has_a_sentence() {
    let routes = routes();
    assert!(routes.len() > 40, "{}", routes.len());
    for (at, route) in routes.iter().enumerate() {
        let about = route.about;
        assert!(about.ends_with('.') && about.len() > 8, "{route:?}");
        let same = |other: &&Route| (&other.method, other.path) == (&route.method, route.path);
        assert!(!routes.iter().skip(at + 1).any(|it| same(&it)), "{route:?}");
    }
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let routes = routes();
    let document = document(&routes);
    let paths = document["paths"].as_object().unwrap();
    let written: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    let known: BTreeSet<(String, String)> = routes
        .iter()
        .map(|route| (route.template(), route.method.to_string()))
        .collect();
    assert_eq!(written, known);
}

#[test]
fn names_of_operations_are_of_one_form_and_are_there_once() {
    let document = document(&routes());
    let mut ids = Vec::new();
    all(&document["paths"], "operationId", &mut ids);
    let once: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len());
    assert!(once.contains("putUsersByUserLimit"), "{once:?}");
    for id in once {
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
}

#[test]
fn every_name_in_a_path_says_what_it_stands_for() {
    let document = document(&routes());
    for route in routes() {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.template()][method];
        for name in route.names() {
            let parameters = operation["parameters"].as_array().unwrap();
            let mut parameters = parameters.iter();
            let found = parameters.find(|it| it["in"] == "path" && it["name"] == name);
            let found = found.unwrap_or_else(|| panic!("`{name}` of {route:?} is in no list"));
            assert!(found["description"].as_str().is_some_and(|it| it.len() > 8));
            assert!(path_parameter(name).is_some(), "{name}");
        }
    }
}

#[test]
fn what_is_referred_to_is_there() {
    let document = document(&routes());
    let mut references = Vec::new();
    all(&document, "$ref", &mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// No answer and no body of a shape that is not said.
#[test]
fn no_schema_is_empty() {
    let document = document(&routes());
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let keys = schema.as_object().unwrap();
        let says = ["type", "oneOf", "anyOf", "enum", "$ref"];
        assert!(says.iter().any(|key| keys.contains_key(*key)), "{name}");
        for (field, schema) in keys
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let of = schema.as_object();
            let of = of.unwrap_or_else(|| panic!("`{field}` of `{name}` may be anything"));
            let says = [&says[..], &["const", "allOf"]].concat();
            assert!(
                says.iter().any(|key| of.contains_key(*key)),
                "{name}.{field}: {of:?}"
            );
        }
    }
}

/// Requests and answers are documented key by key, with their units.
#[test]
fn every_key_has_a_description() {
    let document = document(&routes());
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let about = schema["description"].as_str().unwrap_or_default();
            assert!(!about.is_empty(), "{name}.{field} has none");
        }
    }
    for route in routes() {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.template()][method];
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let about = parameter["description"].as_str().unwrap_or_default();
            assert!(!about.is_empty(), "{parameter} of {route:?}");
        }
    }
}

/// An example that is refused would teach what does not work.
#[test]
fn routes_take_their_examples() {
    let mut schemas = Schemas::new();
    let mut taken = 0;
    let document = document(&routes());
    for route in routes() {
        let operation = described(&route, &mut schemas);
        let Some(reads) = operation.reads else {
            continue;
        };
        let method = route.method.as_str().to_ascii_lowercase();
        let body = &document["paths"][route.template()][method]["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        let schema = schema["$ref"].as_str().map_or(schema, |reference| {
            document
                .pointer(reference.strip_prefix('#').unwrap())
                .unwrap()
        });
        let required = schema["required"].as_array().map_or(0, Vec::len);
        let examples = schema["examples"].as_array();
        assert!(
            required == 0 || examples.is_some(),
            "{route:?} shows no example"
        );
        for example in examples.into_iter().flatten() {
            let read = reads(example.to_string().as_bytes());
            assert!(read.is_ok(), "{route:?}: {example}: {read:?}");
            taken += 1;
        }
    }
    assert!(taken > 10, "{taken}");
}

#[test]
fn links_of_documentation_become_text() {
    for (written, shown) in [
        ("A [`Plan`] of it.", "A `Plan` of it."),
        ("A [`Plan`](super::Plan) of\nit.", "A `Plan` of it."),
        ("Values [a] and `b`.", "Values [a] and `b`."),
        ("An open [`link", "An open [`link"),
        ("One.\n\nTwo\nlines.", "One.\n\nTwo lines."),
    ] {
        assert_eq!(plain(written), shown);
    }
}
