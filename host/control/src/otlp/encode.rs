//! The body of a request: OTLP's messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message;

use wastegate::observe::SpanRecord;
use wastegate::observe::spans::{SpanContext, SpanKind, SpanValue};

/// What made the spans.
const INSTRUMENTATION: &str = "wastegate";
/// The flags of a span say whether its parent is another service's (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`).
const IS_REMOTE_KNOWN: u32 = 0x100;
/// It is (`SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`).
const IS_REMOTE: u32 = 0x200;

/// Which process the spans are of.
pub(super) struct Origin {
    pub(super) service: String,
    pub(super) node: String,
}

/// Spans as they are sent.
pub(super) fn body(origin: &Origin, spans: &[SpanRecord]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let resource = Resource {
        attributes: vec![
            attribute("service.name", text(&origin.service)),
            attribute("service.version", text(version)),
            attribute("service.instance.id", text(&origin.node)),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: INSTRUMENTATION.to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.iter().map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

fn span(record: &SpanRecord) -> Span {
    let is_remote = u32::from(record.is_parent_remote) * IS_REMOTE;
    let attributes = record.attributes.iter();
    Span {
        trace_id: record.context.trace.to_be_bytes().to_vec(),
        span_id: record.context.span.to_be_bytes().to_vec(),
        trace_state: record.state.clone().unwrap_or_default(),
        parent_span_id: record
            .parent
            .map(|parent| parent.to_be_bytes().to_vec())
            .unwrap_or_default(),
        flags: flags(record.context) | IS_REMOTE_KNOWN | is_remote,
        name: record.name.clone().into_owned(),
        kind: match record.kind {
            SpanKind::Internal => span::SpanKind::Internal,
            SpanKind::Server => span::SpanKind::Server,
            SpanKind::Client => span::SpanKind::Client,
        }
        .into(),
        start_time_unix_nano: record.begin_unix_us.saturating_mul(1_000),
        end_time_unix_nano: record.end_unix_us.saturating_mul(1_000),
        attributes: attributes
            .map(|(key, value)| attribute(key, any(value)))
            .collect(),
        links: record.link.map(link).into_iter().collect(),
        status: record.failure.map(|failure| Status {
            message: failure.to_owned(),
            code: StatusCode::Error.into(),
        }),
        ..Span::default()
    }
}

fn flags(context: SpanContext) -> u32 {
    context.is_sampled.into()
}

/// A span of the client is of another service.
fn link(theirs: SpanContext) -> span::Link {
    span::Link {
        trace_id: theirs.trace.to_be_bytes().to_vec(),
        span_id: theirs.span.to_be_bytes().to_vec(),
        flags: flags(theirs) | IS_REMOTE_KNOWN | IS_REMOTE,
        ..span::Link::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn any(value: &SpanValue) -> Value {
    match value {
        SpanValue::Text(value) => text(value),
        SpanValue::Words(words) => {
            let values = words.iter().map(|word| AnyValue {
                value: Some(text(word)),
            });
            Value::ArrayValue(ArrayValue {
                values: values.collect(),
            })
        }
        SpanValue::Number(number) => Value::IntValue(*number),
        SpanValue::Flag(flag) => Value::BoolValue(*flag),
    }
}
