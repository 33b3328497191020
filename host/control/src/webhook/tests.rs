//! A webhook against a service on loopback.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::Mutex as Plain;
use serde_json::Value;

use super::*;
use crate::rollout::Actor;
use crate::rollout::audit::{Note, What};
use wastegate::admission::{AdmissionEnd, DenialReason};
use wastegate::observe::Exposition;
use wastegate::observe::pseudonym::PseudonymKey;
use wastegate::tasks::Tasks;
use wastegate_core::types::{ManagerKey, Secret, UserId};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a service got, and what it answers next; then 204.
#[derive(Default)]
struct Service {
    got: Plain<Vec<(HeaderMap, String)>>,
    answers: Plain<VecDeque<StatusCode>>,
}

impl Service {
    async fn start(answers: &[StatusCode]) -> (Arc<Self>, String) {
        let service = Arc::new(Self {
            answers: Plain::new(answers.iter().copied().collect()),
            ..Self::default()
        });
        let take = |State(service): State<Arc<Self>>, headers: HeaderMap, body: String| async move {
            service.got.lock().push((headers, body));
            let next = service.answers.lock().pop_front();
            next.unwrap_or(StatusCode::NO_CONTENT)
        };
        let router = Router::new()
            .route("/hook", post(take))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        Tasks::new().spawn("service", async move {
            axum::serve(listener, router).await.unwrap();
        });
        (service, url)
    }

    fn bodies(&self) -> Vec<Value> {
        let got = self.got.lock();
        got.iter()
            .map(|(_, body)| serde_json::from_str(body).unwrap())
            .collect()
    }
}

struct Bench {
    why: Arc<Memory>,
    audit: Arc<AuditLog>,
    leaving: CancellationToken,
    clock: Clock,
    metrics: Metrics,
    webhook: Arc<Webhook>,
}

impl Bench {
    fn new(config: Config) -> Self {
        let clock = Clock::system();
        let why = Arc::new(Memory::new(clock.clone()));
        let audit = Arc::new(AuditLog::in_memory(clock.clone()));
        let leaving = CancellationToken::new();
        let sources = WebhookSources {
            why: why.clone(),
            audit: audit.clone(),
            leaving: leaving.clone(),
            pseudonyms: Pseudonymizer::new(PseudonymKey::from_bytes([7; 16])),
            node: "n1".to_owned(),
            clock: clock.clone(),
            seed: 7,
        };
        let metrics = Metrics::default();
        let webhook = Webhook::new(config, sources, metrics.clone());
        let webhook = webhook.unwrap().unwrap();
        Self {
            why,
            audit,
            leaving,
            clock,
            metrics,
            webhook,
        }
    }

    fn refuse(&self, name: &str) {
        let user = UserId::new(name).unwrap();
        self.why.admission(&AdmissionEnd {
            at: self.clock.now(),
            user: &user,
            key: &ManagerKey::new("tab").unwrap(),
            took: Duration::from_millis(3),
            triggered: true,
            refused: Some(DenialReason::UserLimit),
        });
    }
}

fn config(url: String) -> Config {
    Config {
        url: Some(url),
        secret: Secret::new(SECRET),
        pause: Duration::from_millis(10),
        ..Config::default()
    }
}

#[tokio::test]
async fn events_are_signed_and_users_are_hashes_unless_names_are_asked_for() {
    let (service, url) = Service::start(&[]).await;
    let bench = Bench::new(config(url.clone()));
    bench.refuse("ann");
    bench.audit.write(
        &Actor::config(),
        Note::new(What::Quarantined, "3 faults in a row").of("lru"),
    );
    bench.audit.write(
        &Actor::config(),
        Note::new(What::Accepted, "nothing to tell"),
    );
    bench.leaving.cancel();
    bench.webhook.flush().await;
    let (headers, body) = service.got.lock().first().cloned().unwrap();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let unix_s: u64 = text("webhook-timestamp").parse().unwrap();
    let key = sign::key(SECRET).unwrap();
    let expected = sign::signature(&key, &text("webhook-id"), unix_s, &body);
    assert_eq!(text("webhook-signature"), expected);
    assert_eq!(text("content-type"), "application/json");
    let told: Value = serde_json::from_str(&body).unwrap();
    let kinds: Vec<_> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["draining", "quarantine", "refused"]);
    assert!(!body.contains("ann") && !body.contains("tab"), "{body}");
    assert_eq!(
        (&told["node"], &told["missed"]),
        (&"n1".into(), &false.into())
    );
    assert_eq!(told["events"][2]["reason"], "user-limit");
    assert_eq!(told["events"][1]["policy"], "lru");
    // Nothing is told twice.
    bench.webhook.flush().await;
    assert_eq!(service.got.lock().len(), 1);

    let named = Bench::new(Config {
        names: true,
        kinds: vec![WebhookKind::Refused],
        ..config(url)
    });
    named.leaving.cancel();
    named.refuse("bob");
    named.webhook.flush().await;
    let last = service.bodies().pop().unwrap();
    assert_eq!(last["events"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&last["events"][0]["user"], &last["events"][0]["key"]),
        (&"bob".into(), &"tab".into())
    );
}

#[tokio::test]
async fn a_request_is_tried_again_and_what_is_never_taken_is_dropped_and_counted() {
    let failing = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let (service, url) = Service::start(&failing).await;
    let bench = Bench::new(config(url));
    bench.refuse("ann");
    bench.webhook.flush().await;
    let ids: Vec<_> = service
        .got
        .lock()
        .iter()
        .map(|(headers, _)| headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "one request, so one id");

    // Wrong stays wrong; and a service that is away is given up on.
    service.answers.lock().push_back(StatusCode::GONE);
    bench.refuse("ann");
    bench.webhook.flush().await;
    assert_eq!(service.got.lock().len(), 4);
    let away = Bench::new(Config {
        attempts_max: 3,
        ..config("http://127.0.0.1:1/hook".to_owned())
    });
    away.refuse("ann");
    away.refuse("bob");
    away.webhook.flush().await;
    let mut text = String::new();
    let mut metrics = wastegate::observe::MetricsRegistry::new();
    away.metrics.register(metrics.room("webhook"));
    text.push_str(&metrics.encode(Exposition::OpenMetrics));
    for line in [
        "wastegate_webhook_events_dropped_total 2",
        "wastegate_webhook_attempts_failed_total 3",
        "wastegate_webhook_events_delivered_total 0",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// While the service is away, events wait where they are kept anyway. What is dropped there is said.
#[tokio::test]
async fn a_service_that_was_away_too_long_is_told_that_it_missed_events() {
    let (service, url) = Service::start(&[]).await;
    let bench = Bench::new(config(url));
    for number in 0..crate::why::FACTS_MAX + 1 {
        bench.refuse(&format!("u{}", number % 10));
    }
    bench.webhook.flush().await;
    let bodies = service.bodies();
    let missed: Vec<_> = bodies
        .iter()
        .map(|body| body["missed"].as_bool().unwrap())
        .collect();
    assert_eq!(
        (missed[0], missed.iter().filter(|missed| **missed).count()),
        (true, 1)
    );
    let told: usize = bodies
        .iter()
        .map(|body| body["events"].as_array().unwrap().len())
        .sum();
    assert_eq!(told, crate::why::FACTS_MAX);
}
