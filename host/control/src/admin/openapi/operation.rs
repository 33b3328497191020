//! One operation of the document while it is written.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Value, json};

/// Says why a route would refuse a body.
pub(super) type BodyCheck = fn(&[u8]) -> Result<(), String>;

/// What one route takes and answers.
#[derive(Debug, Default)]
pub(in crate::admin) struct Operation {
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) answers: BTreeMap<u16, Value>,
    pub(super) refusals: BTreeSet<u16>,
    /// Checks an example of the body as the route would read it.
    pub(super) reads: Option<BodyCheck>,
}

impl Operation {
    /// It may be refused so.
    pub(in crate::admin) fn refuses(&mut self, statuses: &[StatusCode]) {
        let statuses = statuses.iter().map(StatusCode::as_u16);
        self.refusals.extend(statuses);
    }

    /// It has an answer of that status: a sentence, and its content by media type.
    pub(in crate::admin) fn answers(&mut self, status: StatusCode, about: &str, content: Value) {
        let mut answer = json!({ "description": about });
        if let Some(answer) = answer.as_object_mut()
            && !content.is_null()
        {
            answer.insert("content".to_owned(), content);
        }
        self.answers.insert(status.as_u16(), answer);
    }

    /// An answer of that status, which it has, brings a header.
    pub(in crate::admin) fn with_header(&mut self, status: StatusCode, name: &str, about: &str) {
        if let Some(answer) = self.answers.get_mut(&status.as_u16())
            && let Some(answer) = answer.as_object_mut()
        {
            let headers = answer.entry("headers").or_insert_with(|| json!({}));
            if let Some(headers) = headers.as_object_mut() {
                let header = json!({ "description": about, "schema": { "type": "string" } });
                headers.insert(name.to_owned(), header);
            }
        }
    }

    /// It takes a parameter: in the path, the query or a header.
    pub(in crate::admin) fn takes(
        &mut self,
        place: &str,
        name: &str,
        about: &str,
        required: bool,
        schema: &Value,
    ) {
        self.parameters.push(json!({
            "in": place,
            "name": name,
            "description": about,
            "required": required,
            "schema": schema,
        }));
    }

    /// Whether a parameter is described already.
    pub(super) fn has(&self, place: &str, name: &str) -> bool {
        let mut parameters = self.parameters.iter();
        let is = |it: &Value, key: &str, text: &str| it.get(key).is_some_and(|it| it == text);
        parameters.any(|it| is(it, "in", place) && is(it, "name", name))
    }

    /// The body that it takes, by media type.
    pub(in crate::admin) fn body(&mut self, about: &str, content: &Value) {
        self.body = Some(json!({
            "description": about,
            "required": true,
            "content": content,
        }));
    }
}
