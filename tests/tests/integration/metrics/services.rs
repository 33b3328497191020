//! Gateways that tell a service, and one whose user sends too much, for their metrics.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use wastegate::tasks::Tasks;
use wastegate_core::types::Secret;
use wastegate_tests::harness::{Setup, until_async};

use super::movement::Seen;

/// A service that takes what it is told, or never does.
async fn service(status: StatusCode) -> String {
    let router = Router::new().route("/hook", post(move || async move { status }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    Tasks::new().spawn("service", async move {
        axum::serve(listener, router).await.unwrap();
    });
    url
}

/// One collector takes spans, another is away.
pub(super) async fn collectors(seen: &mut Seen) {
    for (status, series) in [
        (StatusCode::OK, "wastegate_otlp_spans_exported_total"),
        (
            StatusCode::BAD_REQUEST,
            "wastegate_otlp_spans_dropped_total{why=\"not-taken\"}",
        ),
    ] {
        let url = service(status).await;
        let server = Setup::new()
            .with(|config| config.otlp.endpoint = Some(url))
            .start()
            .await;
        seen.look(&server).await;
        let mut tab = server.enter("ann", "tab").await;
        tab.echo("here").await;
        until_async(format!("{series} to move"), async || {
            server.metric(series).await > 0.0
        })
        .await;
        seen.look(&server).await;
    }
}

/// One service takes a refusal, another does not.
pub(super) async fn webhooks(seen: &mut Seen) {
    for (status, series) in [
        (StatusCode::OK, "wastegate_webhook_events_delivered_total"),
        (
            StatusCode::BAD_GATEWAY,
            "wastegate_webhook_events_dropped_total",
        ),
    ] {
        let url = service(status).await;
        let server = Setup::new()
            .limit(1)
            .without_force()
            .with(|config| {
                config.webhook.url = Some(url);
                config.webhook.secret = Secret::new("24 bytes are long enough.");
                config.webhook.attempts_max = 2;
                config.webhook.pause = Duration::from_millis(10);
            })
            .start()
            .await;
        seen.look(&server).await;
        let mut tab = server.enter("ann", "tab").await;
        tab.echo("here").await;
        server.refused("ann", "other").await;
        until_async(format!("{series} to move"), async || {
            server.metric(series).await > 0.0
        })
        .await;
        seen.look(&server).await;
    }
}

pub(super) async fn over_budget(seen: &mut Seen) {
    let server = Setup::new()
        .with(|config| {
            config.budget.messages_per_s = 2;
            config.budget.burst = Duration::from_secs(1);
        })
        .start()
        .await;
    seen.look(&server).await;
    let tab = server.enter("ann", "tab").await;
    for _ in 0..3 {
        tab.say("hello").await;
    }
    let series = "wastegate_connection_over_budget_total{of=\"messages\"}";
    until_async("a budget to be passed", async || {
        server.metric(series).await > 0.0
    })
    .await;
    seen.look(&server).await;
}
