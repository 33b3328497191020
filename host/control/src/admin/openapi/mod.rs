//! What the API takes and answers, as an OpenAPI 3.1 document: `GET /v1/openapi.json`.
//!
//! The document is written from the same table that builds the router ([`Routes`](super::routes::Routes)) and from the
//! types of its handlers: an extractor says what a request has ([`OperationInput`]), what a handler returns says what
//! is answered ([`OperationOutput`]). Schemas are those of `schemars`, because the schemas of OpenAPI 3.1 are JSON
//! Schema 2020-12, and `schemars` reads the attributes of `serde` that decide the JSON. `utoipa` wants method and path
//! of each route a second time; `aide` brings its own router and one schema for requests and answers.
//!
//! Not here: the routes, and what they do.

mod document;
mod input;
mod operation;
mod output;
mod page;
mod schemas;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use axum::handler::Handler;

pub(super) use self::document::document;
pub(super) use self::input::OperationInput;
pub(super) use self::operation::Operation;
pub(super) use self::output::{
    Created, CreatedOrKnown, Csv, Download, Html, Media, OpenApi, OperationOutput, ProbeAnswer,
    Wasm, WithoutBody,
};
pub(super) use self::page::Page;
pub(super) use self::schemas::Schemas;

use super::Admin;

/// A handler that the document can describe, by the types of its arguments and of its answer.
pub(super) trait OperationHandler<T>: Handler<T, Arc<Admin>> {
    /// Writes what it takes and answers.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

impl<F, Fut, R> OperationHandler<((),)> for F
where
    F: Handler<((),), Arc<Admin>> + FnOnce() -> Fut,
    Fut: Future<Output = R>,
    R: OperationOutput,
{
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        R::describe(operation, schemas);
    }
}

macro_rules! handlers {
    ($($argument:ident)+) => {
        impl<F, Fut, R, M, $($argument),+> OperationHandler<(M, $($argument,)+)> for F
        where
            F: Handler<(M, $($argument,)+), Arc<Admin>> + FnOnce($($argument),+) -> Fut,
            Fut: Future<Output = R>,
            R: OperationOutput,
            $($argument: OperationInput),+
        {
            fn describe(operation: &mut Operation, schemas: &mut Schemas) {
                $($argument::describe(operation, schemas);)+
                R::describe(operation, schemas);
            }
        }
    };
}

handlers!(A);
handlers!(A B);
handlers!(A B C);
handlers!(A B C D);
handlers!(A B C D E);
handlers!(A B C D E G);
