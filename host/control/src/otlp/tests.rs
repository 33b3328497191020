//! An exporter against a collector on loopback.

use std::borrow::Cow;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

use super::*;
use wastegate::observe::spans::{SpanContext, SpanKind, SpanValue};
use wastegate::observe::{Exposition, MetricsRegistry};
use wastegate::tasks::Tasks;
use wastegate_core::types::Secret;

/// What a collector got, and what it answers next; then that it took everything.
#[derive(Default)]
struct Service {
    got: Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>,
    answers: Mutex<VecDeque<(StatusCode, Vec<u8>)>>,
}

impl Service {
    async fn start() -> (Arc<Self>, String) {
        let service = Arc::<Self>::default();
        let take = |State(service): State<Arc<Self>>, headers: HeaderMap, body: Bytes| async move {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            service.got.lock().push((headers, request));
            let next = service.answers.lock().pop_front();
            next.unwrap_or((StatusCode::OK, Vec::new())).into_response()
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Tasks::new().spawn("collector", async move {
            axum::serve(listener, router).await.unwrap();
        });
        (service, url)
    }

    fn answers(&self, status: StatusCode, rejected_spans: i64) {
        let answer = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans,
                ..ExportTracePartialSuccess::default()
            }),
        };
        let answer = (status, answer.encode_to_vec());
        self.answers.lock().push_back(answer);
    }
}

fn exporter(endpoint: &str, queue_spans_max: usize) -> (Arc<Exporter>, Metrics) {
    let config = Config {
        endpoint: Some(endpoint.to_owned()),
        authorization: Secret::new("Bearer of-a-test"),
        queue_spans_max,
        timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let metrics = Metrics::default();
    let exporter = Exporter::new(config, "n1", Clock::system(), metrics.clone());
    (exporter.unwrap().unwrap(), metrics)
}

fn span(number: u64) -> SpanRecord {
    let context = SpanContext {
        trace: 0x0102,
        span: number,
        is_sampled: true,
    };
    SpanRecord {
        context,
        parent: Some(9),
        is_parent_remote: true,
        state: Some("a=1".to_owned()),
        link: Some(context),
        name: Cow::Borrowed("GET /ws"),
        kind: SpanKind::Server,
        begin_unix_us: 1_700_000_000_000_001,
        end_unix_us: 1_700_000_000_000_003,
        attributes: vec![
            ("http.response.status_code", SpanValue::Number(101)),
            ("wastegate.cleanup.tiers", SpanValue::Words(vec!["force"])),
            ("wastegate.cleanup.enough", SpanValue::Flag(true)),
        ],
        failure: Some("trap"),
    }
}

/// The counters: exported, then dropped because the queue was full, not taken, rejected, then failed requests.
fn counted(metrics: &Metrics) -> [u64; 5] {
    let mut registry = MetricsRegistry::new();
    metrics.register(registry.room("otlp"));
    let text = registry.encode(Exposition::OpenMetrics);
    let value = |series: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} in {text}"))
            .parse()
            .unwrap()
    };
    [
        value("wastegate_otlp_spans_exported_total"),
        value("wastegate_otlp_spans_dropped_total{why=\"queue-full\"}"),
        value("wastegate_otlp_spans_dropped_total{why=\"not-taken\"}"),
        value("wastegate_otlp_spans_dropped_total{why=\"rejected\"}"),
        value("wastegate_otlp_exports_failed_total"),
    ]
}

#[tokio::test]
async fn a_collector_gets_spans_as_otlp_has_them() {
    let (service, url) = Service::start().await;
    let (exporter, metrics) = exporter(&url, 100);
    exporter.ended(span(7));
    exporter.flush().await;
    exporter.flush().await;
    let (headers, request) = service.got.lock().pop().unwrap();
    assert!(service.got.lock().is_empty(), "sent twice");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["authorization"], "Bearer of-a-test");
    let of_node = &request.resource_spans[0];
    let resource = format!("{:?}", of_node.resource);
    for told in [
        "service.name",
        "\"wastegate\"",
        "service.instance.id",
        "\"n1\"",
    ] {
        assert!(resource.contains(told), "{told} in {resource}");
    }
    let sent = &of_node.scope_spans[0].spans[0];
    assert_eq!(sent.trace_id, 0x0102_u128.to_be_bytes());
    assert_eq!((sent.span_id.len(), sent.span_id.last()), (8, Some(&7)));
    assert_eq!(sent.parent_span_id, 9_u64.to_be_bytes());
    assert_eq!((sent.flags, sent.links[0].flags), (0x301, 0x301));
    assert_eq!((sent.kind, sent.trace_state.as_str()), (2, "a=1"));
    assert_eq!(sent.end_time_unix_nano - sent.start_time_unix_nano, 2_000);
    assert_eq!(sent.status.as_ref().map(|it| it.code), Some(2));
    assert_eq!(sent.attributes.len(), 3);
    assert_eq!(counted(&metrics), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_dropped_and_counted() {
    let (service, url) = Service::start().await;
    let (exporter, metrics) = exporter(&url, 3);
    (0..5).for_each(|number| exporter.ended(span(number)));
    assert_eq!(counted(&metrics), [0, 2, 0, 0, 0]);
    // It rejects one of three.
    service.answers(StatusCode::OK, 1);
    exporter.flush().await;
    assert_eq!(counted(&metrics), [2, 2, 0, 1, 0]);
    // What is wrong stays wrong.
    service.answers(StatusCode::BAD_REQUEST, 0);
    exporter.ended(span(1));
    exporter.flush().await;
    assert_eq!(counted(&metrics), [2, 2, 1, 1, 1]);
    assert_eq!(service.got.lock().len(), 2);
    // What passes is tried again.
    service.answers(StatusCode::SERVICE_UNAVAILABLE, 0);
    exporter.ended(span(1));
    exporter.flush().await;
    assert_eq!(counted(&metrics), [3, 2, 1, 1, 2]);
    assert_eq!(service.got.lock().len(), 4);
}

/// Of a collector that is away, each batch is given up in the end; one that is on its way when the program stops
/// is not lost.
#[tokio::test]
async fn a_collector_that_is_away_costs_its_spans() {
    let (away, metrics) = exporter("http://127.0.0.1:1", 100);
    away.ended(span(1));
    away.ended(span(2));
    let soon = Duration::from_millis(1);
    assert!(tokio::time::timeout(soon, away.flush()).await.is_err());
    assert_eq!(away.queue.lock().len(), 2);
    away.flush().await;
    let [exported, _, dropped, ..] = counted(&metrics);
    assert_eq!((exported, dropped), (0, 2));
    away.ended(span(3));
    away.give_up();
    assert_eq!(counted(&metrics)[2], 3);
}

#[tokio::test]
async fn a_path_of_the_endpoint_stays_as_it_is() {
    let (service, url) = Service::start().await;
    let (exporter, metrics) = exporter(&format!("{url}/other"), 100);
    exporter.ended(span(1));
    exporter.flush().await;
    assert!(service.got.lock().is_empty());
    assert_eq!(counted(&metrics), [0, 0, 1, 0, 1]);
}

/// A request is sent once a batch is complete, and no larger than that.
#[tokio::test]
async fn batches_are_bounded() {
    let (service, url) = Service::start().await;
    let (exporter, _) = exporter(&url, 2 * BATCH_SPANS_MAX);
    (0..BATCH_SPANS_MAX as u64 + 1).for_each(|number| exporter.ended(span(number)));
    exporter.flush().await;
    let counts: Vec<usize> = service
        .got
        .lock()
        .iter()
        .map(|(_, request)| request.resource_spans[0].scope_spans[0].spans.len())
        .collect();
    assert_eq!(counts, [BATCH_SPANS_MAX, 1]);
}
