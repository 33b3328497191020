//! A server that follows a policy in a registry.

use std::time::Duration;

use serde_json::json;
use wastegate_cli::config::ProgramConfig;
use wastegate_control::rollout::config::WithoutPolicy;
use wastegate_core::types::chain;
use wastegate_engine::policy::load::digest;
use wastegate_tests::guests::shipped;
use wastegate_tests::harness::{PATIENCE, Registry, Setup};

use super::registry::{Files, publish, variant};
use super::watched::{audit, charged, in_charge};

/// A server that ranks by what a reference means, and looks every few milliseconds.
fn following(reference: &str) -> Setup {
    let reference = reference.parse().unwrap();
    Setup::new().with(|config: &mut ProgramConfig| {
        let registry = &mut config.sources.registry;
        registry.reference = Some(reference);
        registry.poll = Duration::from_millis(50);
        registry.timeout = PATIENCE;
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_tag_is_followed_and_a_pin_stays() {
    let (registry, files) = (Registry::start().await, Files::new());
    let tagged = registry.at("policies/lru:stable");
    let file = files.put("lru.wasm", shipped("lru"));
    let (code, said) = publish(&file, &tagged).await;
    assert_eq!(code, Some(0), "{said}");
    let pinned = said.lines().last().unwrap().split('"').nth(1).unwrap();

    let follower = following(&tagged).start().await;
    let pinned = following(pinned).start().await;
    for server in [&follower, &pinned] {
        assert_eq!(in_charge(server), *digest(shipped("lru")), "from the start");
    }

    let file = files.put("lru.wasm", &variant("lru", 2));
    assert_eq!(publish(&file, &tagged).await.0, Some(0));
    charged(&follower, &variant("lru", 2)).await;
    assert_eq!(in_charge(&pinned), *digest(shipped("lru")));

    // The registry goes away: everybody goes on.
    drop(registry);
    let listed = follower.get("/v1/policies").await.body;
    assert!(listed.contains("lru:stable@sha256:"), "{listed}");
    assert_eq!(in_charge(&follower), *digest(&variant("lru", 2)));
    for server in [follower, pinned] {
        assert_eq!(server.supervisor.restarts(), 0);
        assert!(server.stop().await.drained);
    }
}

/// Nobody was ever active and the registry is away: where the operator wants it so, there is nothing to
/// rank by, and the reason is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_without_the_registry_says_why_there_is_none() {
    let registry = Registry::start().await;
    let reference = registry.at("policies/lru:1");
    drop(registry);
    let strict = following(&reference).with(|config| config.rollout.start = WithoutPolicy::Fail);
    let Err(refused) = strict.try_start().await else {
        panic!("it started without a policy");
    };
    let said = chain(&refused);
    assert!(said.contains("cannot be reached"), "{said}");
}

/// P12: by default it serves with the built-in ranking, and says so wherever it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_a_first_start_without_the_registry_serves_and_says_so() {
    let registry = Registry::start().await;
    let reference = registry.at("policies/lru:1");
    drop(registry);
    let server = following(&reference).start().await;
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.json()["policy"], "built-in");
    let awaited = server.get("/v1/policies").await.json()["awaited"].clone();
    assert_eq!(awaited["source"], format!("registry {reference}"));
    assert_eq!(awaited["in_its_place"], "built-in");
    let why = awaited["why"].as_str().unwrap();
    assert!(why.contains("cannot be reached"), "{why}");
    server.enter("ann", "k1").await;
    let entries = audit(&server).await;
    assert!(
        entries.iter().any(|entry| entry["what"] == "fell-back"),
        "{entries:?}"
    );
    let usual = Setup::new().start().await;
    assert_eq!(usual.get("/readyz").await.json()["policy"], "configured");
}

/// An operator asks for a policy by its reference; it is named by the path, and has to be that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_pulls_what_is_asked_for() {
    let (registry, files) = (Registry::start().await, Files::new());
    let tagged = registry.at("policies/fifo:1");
    let file = files.put("fifo.wasm", shipped("fifo"));
    assert_eq!(publish(&file, &tagged).await.0, Some(0));
    let server = Setup::new()
        .policy("lru")
        .with(|config| config.sources.registry.timeout = PATIENCE)
        .start()
        .await;
    let pull = json!({ "reference": tagged });
    let reply = server.post("/v1/policies/fifo/pull", &pull).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(
        in_charge(&server),
        *digest(shipped("lru")),
        "it was not to be activated"
    );

    let pull = json!({ "reference": tagged, "activate": true });
    let reply = server.post("/v1/policies/fifo/pull", &pull).await;
    assert_eq!(reply.status, 200, "the same revision: {reply:?}");
    assert_eq!(in_charge(&server), *digest(shipped("fifo")));

    for (name, reference, why) in [
        ("lru", tagged.clone(), "calls itself `fifo`"),
        ("fifo", registry.at("policies/fifo:2"), "has no manifest"),
        ("fifo", "fifo:1".to_owned(), "does not say which registry"),
    ] {
        let reply = server
            .post(
                &format!("/v1/policies/{name}/pull"),
                &json!({ "reference": reference }),
            )
            .await;
        assert!(
            (400..600).contains(&reply.status) && reply.body.contains(why),
            "{reply:?}"
        );
    }
}
