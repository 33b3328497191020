//! What handlers answer, and how the document describes it.

use std::convert::Infallible;
use std::marker::PhantomData;

use axum::Json;
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::sse::{Event as Sent, Sse};
use axum::response::{IntoResponse, Response as Answer};
use futures_util::Stream;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Operation, Schemas};
use crate::admin::policies::refusal::Refusal;
use crate::why::Event;

/// What a handler returns, as the document has it.
pub(in crate::admin) trait OperationOutput {
    /// Writes what is answered, beside refusals.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

/// JSON of a type, as the content of an answer.
fn json_of<T: JsonSchema>(schemas: &mut Schemas) -> Value {
    json!({ "application/json": { "schema": schemas.answer::<T>() } })
}

impl<T: JsonSchema> OperationOutput for Json<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = json_of::<T>(schemas);
        operation.answers(StatusCode::OK, "Done.", content);
    }
}

impl<T: OperationOutput> OperationOutput for Result<T, Refusal> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        T::describe(operation, schemas);
    }
}

/// Something was made: status 201.
pub(in crate::admin) struct Created<T>(pub(in crate::admin) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Answer {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = json_of::<T>(schemas);
        operation.answers(StatusCode::CREATED, "It was made.", content);
    }
}

/// Something was made, or was there already: status 201 or 200.
pub(in crate::admin) struct CreatedOrKnown<T> {
    pub(in crate::admin) is_new: bool,
    pub(in crate::admin) view: T,
}

impl<T: Serialize> IntoResponse for CreatedOrKnown<T> {
    fn into_response(self) -> Answer {
        if self.is_new {
            return Created(self.view).into_response();
        }
        Json(self.view).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for CreatedOrKnown<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Created::<T>::describe(operation, schemas);
        let content = json_of::<T>(schemas);
        operation.answers(StatusCode::OK, "It was there already.", content);
    }
}

/// The answer to a probe: 503 where the answer is no, with the same content.
pub(in crate::admin) struct ProbeAnswer<T> {
    pub(in crate::admin) is_yes: bool,
    pub(in crate::admin) view: T,
}

impl<T: Serialize> IntoResponse for ProbeAnswer<T> {
    fn into_response(self) -> Answer {
        let status = if self.is_yes {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, Json(self.view)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for ProbeAnswer<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let content = json_of::<T>(schemas);
        operation.answers(StatusCode::OK, "Yes.", content.clone());
        operation.answers(StatusCode::SERVICE_UNAVAILABLE, "No.", content);
    }
}

/// No body, and a cookie that the browser keeps or drops.
pub(in crate::admin) struct WithoutBody(pub(in crate::admin) Answer);

impl IntoResponse for WithoutBody {
    fn into_response(self) -> Answer {
        self.0
    }
}

impl OperationOutput for WithoutBody {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let status = StatusCode::NO_CONTENT;
        operation.answers(status, "Done. The header sets the cookie.", Value::Null);
        operation.with_header(status, "set-cookie", "The session's cookie.");
    }
}

/// A kind of content that is no JSON of ours.
pub(in crate::admin) trait MediaType {
    /// As the header says it.
    const NAME: &'static str;
    /// What it is.
    const ABOUT: &'static str;

    /// What is known of its shape; null for bytes.
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

/// Content of such a kind.
pub(in crate::admin) struct Media<K> {
    body: Body,
    kind: PhantomData<K>,
}

impl<K> Media<K> {
    pub(in crate::admin) fn new(body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            kind: PhantomData,
        }
    }
}

impl<K: MediaType> IntoResponse for Media<K> {
    fn into_response(self) -> Answer {
        ([(header::CONTENT_TYPE, K::NAME)], self.body).into_response()
    }
}

impl<K: MediaType> OperationOutput for Media<K> {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let name = K::NAME.split(';').next().unwrap_or_default();
        let schema = K::schema();
        let content = if schema.is_null() {
            json!({ name: {} })
        } else {
            json!({ name: { "schema": schema } })
        };
        operation.answers(StatusCode::OK, K::ABOUT, content);
    }
}

macro_rules! media {
    ($($kind:ident, $name:expr, $about:literal, $schema:expr;)+) => {
        $(
            #[doc = $about]
            pub(in crate::admin) struct $kind;

            impl MediaType for $kind {
                const NAME: &'static str = $name;
                const ABOUT: &'static str = $about;

                fn schema() -> Value {
                    $schema
                }
            }
        )+
    };
}

media! {
    Html, "text/html; charset=utf-8", "A page.", json!({ "type": "string" });
    Csv, "text/csv; charset=utf-8", "A table.", json!({ "type": "string" });
    Wasm, "application/wasm", "The bytes.", Value::Null;
    OpenApi, "application/json", "An OpenAPI 3.1 document.", json!({ "type": "object" });
}

/// What a browser stores as a file of that name.
pub(in crate::admin) struct Download<T> {
    pub(in crate::admin) name: String,
    pub(in crate::admin) content: T,
}

impl<T: IntoResponse> IntoResponse for Download<T> {
    fn into_response(self) -> Answer {
        let Self { name, content } = self;
        let disposition = format!("attachment; filename=\"{name}\"");
        ([(header::CONTENT_DISPOSITION, disposition)], content).into_response()
    }
}

impl<T: OperationOutput> OperationOutput for Download<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        T::describe(operation, schemas);
        let about = "The name that a browser stores it under.";
        operation.with_header(StatusCode::OK, "content-disposition", about);
    }
}

/// A file of the console: of any media type, or not modified.
impl OperationOutput for Response<Body> {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let about = "The file, as gzip where the client takes that.";
        operation.answers(StatusCode::OK, about, json!({ "*/*": {} }));
        operation.with_header(StatusCode::OK, "etag", "Names its content.");
        let about = "The client has it: its `if-none-match` names it.";
        operation.answers(StatusCode::NOT_MODIFIED, about, Value::Null);
    }
}

impl<S> OperationOutput for Sse<S>
where
    S: Stream<Item = Result<Sent, Infallible>>,
{
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let event = schemas.answer::<Event>();
        let about = "A stream of server-sent events that does not end by itself. The `data` of an event is JSON of the schema in `x-event`. An event `gap` says that some are missing before it.";
        let content =
            json!({ "text/event-stream": { "schema": { "type": "string" }, "x-event": event } });
        operation.answers(StatusCode::OK, about, content);
    }
}
