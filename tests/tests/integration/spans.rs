//! Spans of the real program, as a collector gets them that is made of OpenTelemetry's own messages, and what a
//! backend is told of the trace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use wastegate::tasks::Tasks;
use wastegate_control::otlp::BATCH_SPANS_MAX;
use wastegate_tests::harness::program::{python, python_with, script};
use wastegate_tests::harness::{BUDGET, Client, Dial, Program, Server, Setup, http, timed};

use crate::cli::PROGRAM;

/// A peer that the gateway trusts.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const THEIRS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Prints every span that it gets.
struct Collector {
    program: Program,
    address: String,
    spans: Vec<Value>,
}

impl Collector {
    async fn start() -> Self {
        let module = "opentelemetry.proto.collector.trace.v1.trace_service_pb2";
        let python = python_with(module, "opentelemetry-proto");
        let mut program = Program::start(python, &[script("collector.py")]);
        let address = program.line().await;
        Self {
            program,
            address,
            spans: Vec::new(),
        }
    }

    /// The span of a name in a trace, as soon as it is there.
    async fn span(&mut self, trace: &str, name: &str) -> Value {
        let is_it = |span: &Value| span["trace"] == trace && span["name"] == name;
        self.first(is_it).await
    }

    /// The first span that `is_it`, as soon as it is there: the parts of a trace come in several requests.
    async fn first(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(found) = self.spans.iter().find(|span| is_it(span)) {
                return found.clone();
            }
            let line = self.program.line().await;
            assert!(
                !line.contains("ann") && !line.contains("tab-"),
                "a name in {line}"
            );
            self.spans.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// The same of a span that is a part of another one.
    async fn part(&mut self, of: &Value, name: &str) -> Value {
        let part = self.span(of["trace"].as_str().unwrap(), name).await;
        assert_eq!(part["parent"], of["span"], "{name} of {of}: {part}");
        let moment = |span: &Value, end: &str| span[end].as_u64().unwrap();
        assert!(moment(&part, "begin") >= moment(of, "begin"), "{part}");
        part
    }

    /// The spans of a trace that are there.
    fn of_trace(&self, trace: &str) -> Vec<&Value> {
        let spans = self.spans.iter();
        spans.filter(|span| span["trace"] == trace).collect()
    }
}

/// The program with settings, and where it listens.
async fn serve(settings: &[String]) -> (Program, SocketAddr, SocketAddr) {
    let mut arguments: Vec<&str> = vec!["serve", "--json"];
    arguments.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    let mut program = Program::start(PROGRAM, &arguments);
    let told: Value = serde_json::from_str(&program.line().await).unwrap();
    let address = |name: &str| told[name].as_str().unwrap().parse().unwrap();
    (program, address("listen"), address("admin"))
}

async fn backend() -> (Program, String) {
    let mut program = Program::start(python(), &[script("headers_backend.py")]);
    let setting = format!("gateway.upstream=[\"ws://{}\"]", program.line().await);
    (program, setting)
}

/// What a header was in the request that a client's backend got.
async fn passed(client: &mut Client, name: &str) -> Vec<String> {
    client.say(name).await;
    serde_json::from_str(&client.hear_text().await).unwrap()
}

/// The trace, the span and the flags of the one `traceparent` that a backend got.
async fn parent_of_backend(client: &mut Client) -> (String, String, String) {
    let passed = passed(client, "traceparent").await;
    let [parent] = passed.as_slice() else {
        panic!("{passed:?}");
    };
    let fields: Vec<&str> = parent.split('-').collect();
    let [version, trace, span, flags] = fields[..] else {
        panic!("{parent}");
    };
    assert_eq!((version, trace.len(), span.len()), ("00", 32, 16));
    (trace.to_owned(), span.to_owned(), flags.to_owned())
}

/// A client that says nothing of a trace: a trace of its own, whose last word the backend gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_is_a_tree_and_the_backend_goes_on_with_it() {
    let mut collector = Collector::start().await;
    let (_backend, upstream) = backend().await;
    let endpoint = format!("otlp.endpoint=http://{}", collector.address);
    let node = "server.node=n7".to_owned();
    let trusted = format!("gateway.trusted_proxies=[\"{PROXY}\"]");
    let (program, address, _) = serve(&[endpoint, upstream, node, trusted]).await;
    let mut client = Dial::to(address, "ann", "tab-1").connect().await.unwrap();
    let (trace, span, flags) = parent_of_backend(&mut client).await;
    assert_eq!(flags, "01");
    let root = collector.span(&trace, "GET /").await;
    assert_eq!(
        (&root["kind"], &root["parent"]),
        (&json!("SPAN_KIND_SERVER"), &json!(""))
    );
    let known = &root["attributes"];
    assert_eq!(known["http.request.method"], "GET");
    assert_eq!(known["http.response.status_code"], 101);
    assert_eq!(
        (&known["http.route"], &known["url.scheme"]),
        (&json!("/"), &json!("http"))
    );
    // A hash of 16 digits, as in journals; and no path, which may name a client.
    assert_eq!(known["enduser.pseudo.id"].as_str().map(str::len), Some(16));
    assert_eq!(known.get("url.path"), None);
    assert_eq!(root["resource"]["service.name"], "wastegate");
    assert_eq!(root["resource"]["service.instance.id"], "n7");
    let identity = collector.part(&root, "identity").await;
    assert_eq!(identity["attributes"]["wastegate.identified"], true);
    let admission = collector.part(&root, "admission").await;
    assert_eq!(
        admission["attributes"]["wastegate.admission.outcome"],
        "admitted"
    );
    let upstream = collector.part(&root, "upstream").await;
    assert_eq!(
        (&upstream["kind"], &upstream["span"]),
        (&json!("SPAN_KIND_CLIENT"), &json!(span))
    );
    assert_eq!(upstream["attributes"]["server.address"], "127.0.0.1");
    assert!(upstream["end"].as_u64() <= root["end"].as_u64());
    // The connection lives, and its handshake is over.
    assert!(client.is_open());
    assert_eq!(collector.of_trace(&trace).len(), 4);

    // A refusal has a span too.
    let refused = http::ask(address, "GET", "/nothing-to-upgrade", None).await;
    assert!(refused.status >= 400, "{refused:?}");
    program.terminate();
    client.closed().await;
    assert!(program.finish().await.0.success());
}

/// Who may say to which trace a handshake belongs, and whether it is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_continued_for_trusted_peers_only() {
    let mut collector = Collector::start().await;
    let (_backend, upstream) = backend().await;
    let endpoint = format!("otlp.endpoint=http://{}", collector.address);
    let trusted = format!("gateway.trusted_proxies=[\"{PROXY}\"]");
    let settings = [endpoint, upstream, trusted];
    let (_program, address, _) = serve(&settings).await;
    let dial = |number: u8, parent: &str| {
        let key = format!("tab-{number}");
        let dial = Dial::to(address, "ann", &key).header("traceparent", parent);
        dial.header("tracestate", "vendor=1")
    };

    // A stranger's is a link, and the backend hears nothing of it.
    let mut stranger = dial(1, SAMPLED).connect().await.unwrap();
    let (trace, ..) = parent_of_backend(&mut stranger).await;
    assert_ne!(trace, THEIRS);
    assert!(passed(&mut stranger, "tracestate").await.is_empty());
    let root = collector.span(&trace, "GET /").await;
    assert_eq!(root["links"], json!([[THEIRS, "00f067aa0ba902b7"]]));
    assert_eq!(root["parent"], "");

    // A trusted proxy's is the parent.
    let mut proxied = dial(2, SAMPLED).from(PROXY).connect().await.unwrap();
    let (trace, span, flags) = parent_of_backend(&mut proxied).await;
    assert_eq!((trace.as_str(), flags.as_str()), (THEIRS, "01"));
    assert_eq!(passed(&mut proxied, "tracestate").await, ["vendor=1"]);
    let root = collector.span(THEIRS, "GET /").await;
    assert_eq!(
        (&root["parent"], &root["remote"]),
        (&json!("00f067aa0ba902b7"), &json!(true))
    );
    assert_eq!(root["state"], "vendor=1");
    assert_eq!(collector.part(&root, "upstream").await["span"], span);

    // Its decision holds: this trace is not kept, and the backend is told so.
    let other = "0af7651916cd43dd8448eb211c80319c";
    let unkept = format!("00-{other}-00f067aa0ba902b7-00");
    let mut unkept = dial(3, &unkept).from(PROXY).connect().await.unwrap();
    let (trace, _, flags) = parent_of_backend(&mut unkept).await;
    assert_eq!((trace.as_str(), flags.as_str()), (other, "00"));

    // What is no `traceparent` begins a trace, and neither it nor its state is passed on.
    let bad = SAMPLED.to_uppercase();
    let mut bad = dial(4, &bad).from(PROXY).connect().await.unwrap();
    let (trace, ..) = parent_of_backend(&mut bad).await;
    assert_ne!(trace, THEIRS);
    assert!(passed(&mut bad, "tracestate").await.is_empty());
    // Later than the one that is not kept, so nothing of that one is to come.
    let root = collector.span(&trace, "GET /").await;
    assert_eq!((&root["parent"], &root["links"]), (&json!(""), &json!([])));
    assert!(collector.of_trace(other).is_empty());
}

/// Without a collector, and behind the setting that trusts no peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_a_traceparent_goes_through_as_it_came() {
    let (_backend, upstream) = backend().await;
    let (_program, address, _) = serve(std::slice::from_ref(&upstream)).await;
    let dial = Dial::to(address, "ann", "tab-1").header("traceparent", "what it may be");
    let mut client = dial.connect().await.unwrap();
    assert_eq!(passed(&mut client, "traceparent").await, ["what it may be"]);

    let mut collector = Collector::start().await;
    let endpoint = format!("otlp.endpoint=http://{}", collector.address);
    let trusted = format!("gateway.trusted_proxies=[\"{PROXY}\"]");
    let none = "otlp.parents=none".to_owned();
    let (_program, address, _) = serve(&[upstream, endpoint, trusted, none]).await;
    let dial = Dial::to(address, "ann", "tab-1").header("traceparent", SAMPLED);
    let mut client = dial.from(PROXY).connect().await.unwrap();
    let (trace, ..) = parent_of_backend(&mut client).await;
    assert_ne!(trace, THEIRS);
    let root = collector.span(&trace, "GET /").await;
    assert_eq!(root["links"], json!([[THEIRS, "00f067aa0ba902b7"]]));
}

/// At a user's limit: which policy was asked, what it cost, and which decision closed which connection how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eviction_is_a_part_of_the_handshake_that_needed_it() {
    let mut collector = Collector::start().await;
    let endpoint = format!("otlp.endpoint=http://{}", collector.address);
    let limit = "limits.managers_per_user=1".to_owned();
    let no_loans = "limits.temporary_slots.count=0".to_owned();
    let (_program, address, admin) = serve(&[endpoint, limit, no_loans]).await;
    let mut first = Dial::to(address, "ann", "tab-1").connect().await.unwrap();
    first.echo("here").await;
    let dial = Dial::to(address, "ann", "tab-2").header("traceparent", SAMPLED);
    let mut second = dial.connect().await.unwrap();
    second.echo("here").await;
    assert_eq!(first.closed().await, 4_501);
    let ask = async |path: &str| http::ask(admin, "GET", path, None).await.json();

    // This machine is trusted unless a setting says otherwise.
    let root = collector.span(THEIRS, "GET /ws").await;
    assert_eq!(root["attributes"]["url.path"], "/ws");
    let eviction = collector.span(THEIRS, "eviction").await;
    let admission = collector.part(&root, "admission").await;
    let outcome = &admission["attributes"]["wastegate.admission.outcome"];
    assert_eq!(outcome, "admitted-by-cleanup");
    let is_parent = |span: &Value| span["span"] == eviction["parent"];
    let forced = collector.first(is_parent).await;
    assert_eq!(
        (&forced["name"], &forced["parent"]),
        (&json!("cleanup"), &admission["span"])
    );
    let known = &forced["attributes"];
    assert_eq!(known["wastegate.cleanup.tiers"], json!(["force"]));
    assert_eq!(
        (
            &known["wastegate.cleanup.freed"],
            &known["wastegate.cleanup.scope"]
        ),
        (&json!(1), &json!("user"))
    );
    let probe = collector.span(THEIRS, "probe").await;
    assert_eq!(probe["attributes"]["wastegate.probe.answered"], 1);
    let is_call = |span: &Value| span["name"] == "policy" && span["parent"] == forced["span"];
    let asked = &collector.first(is_call).await["attributes"];
    assert_eq!(asked["wastegate.policy.name"], "qos-lexicographic");
    assert_eq!(
        (&asked["wastegate.tier"], &asked["wastegate.policy.rows"]),
        (&json!("force"), &json!(1))
    );
    assert!(asked["wastegate.policy.fuel"].as_u64() > Some(0), "{asked}");
    let known = &eviction["attributes"];
    assert_eq!(known["wastegate.close.code"], 4_501);
    assert_eq!(
        (
            &known["wastegate.eviction.cause"],
            &known["wastegate.eviction.outcome"]
        ),
        (&json!("cleanup"), &json!("echoed"))
    );
    assert_eq!(
        known["wastegate.decision.id"],
        asked["wastegate.decision.id"]
    );
    // It is the number of the decision that operators see.
    let decision = &known["wastegate.decision.id"];
    let record = ask(&format!("/v1/decisions/{decision}")).await;
    assert_eq!(
        (&record["id"], &record["fuel"]),
        (decision, &asked["wastegate.policy.fuel"]),
        "{record}"
    );
}

/// A gateway whose spans go to this endpoint.
async fn sending_to(endpoint: String) -> Server {
    let setup = Setup::new().limit(100).with(|config| {
        config.otlp.endpoint = Some(endpoint);
        config.otlp.queue_spans_max = BATCH_SPANS_MAX;
    });
    setup.start().await
}

/// Lets clients in, one after another, until a counter moves.
async fn clients_until(server: &Server, series: &str) {
    for number in 0.. {
        let (client, took) = timed(server.enter("ann", &format!("tab-{}", number % 50))).await;
        assert!(took < BUDGET, "{took:?}");
        client.leave().await;
        if server.metric(series).await > 0.0 {
            return;
        }
        assert!(number < 5_000, "{series} does not move");
    }
}

/// A collector that takes no connection, and one that never answers: clients notice nothing of either, and a stop
/// waits for it no longer than it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let away = sending_to("http://127.0.0.1:1".to_owned()).await;
    let not_taken = "wastegate_otlp_spans_dropped_total{why=\"not-taken\"}";
    clients_until(&away, not_taken).await;
    assert!(away.metric("wastegate_otlp_spans_exported_total").await < 1.0);
    away.stop().await;

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    Tasks::new().spawn("silent", async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = silent.accept().await {
            held.push(socket);
        }
    });
    // Its first request has ten seconds, in which two batches come together.
    let waiting = sending_to(endpoint).await;
    let queue_full = "wastegate_otlp_spans_dropped_total{why=\"queue-full\"}";
    clients_until(&waiting, queue_full).await;
    let (_, took) = timed(waiting.stop()).await;
    assert!(took < Duration::from_secs(9), "{took:?}");
}
