//! What survives a restart, and what a start does when something is missing.

use serde_json::{Value, json};
use tempfile::TempDir;
use wastegate_tests::guests::shipped;
use wastegate_tests::harness::{Server, Setup};

use super::{in_charge, ok};

/// Everything in the audit log that says so.
async fn entries(server: &Server, what: &str) -> Vec<String> {
    let audit = server.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let notes = entries.map(|entry| &entry["note"]);
    notes
        .filter(|note| note["what"] == what)
        .map(|note| note["reason"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A folder for state, and a server that has it.
fn setup(state: &TempDir) -> Setup {
    Setup::new().state_dir(state.path())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_did_goes_on_until_the_configuration_changes() {
    let state = TempDir::new().unwrap();
    let server = setup(&state).start().await;
    server.upload("lru", "activate=true", shipped("lru")).await;
    ok(
        &server,
        "/v1/policies/fifo/activate",
        json!({ "tier": "force" }),
    )
    .await;
    ok(
        &server,
        "/v1/policies/disable",
        json!({ "tier": "proactive" }),
    )
    .await;
    let was = in_charge(&server).await;
    assert_eq!(was, [0, 2, 2, 2, 3]);
    let list = server.get("/v1/policies").await.json();
    assert_eq!(list["durable"], true);
    server.stop().await;

    let server = setup(&state).start().await;
    assert_eq!(
        in_charge(&server).await,
        was,
        "the configuration is as before"
    );
    let again = server.get("/v1/policies").await.json();
    assert_eq!(again["seats"], list["seats"]);
    assert_eq!(
        entries(&server, "disabled").await.len(),
        1,
        "and so is the audit log"
    );
    // The way back is there too.
    ok(&server, "/v1/policies/rollback", json!({})).await;
    assert_eq!(in_charge(&server).await, [2, 2, 2, 2, 3]);
    server.stop().await;

    let server = setup(&state).policy("random").start().await;
    assert_eq!(
        in_charge(&server).await,
        [4; 5],
        "another choice is made active"
    );
    ok(&server, "/v1/policies/rollback", json!({})).await;
    assert_eq!(in_charge(&server).await, [2, 2, 2, 2, 3]);
    server.stop().await;

    // The same choice again: the rollback stands.
    let server = setup(&state).policy("random").start().await;
    assert_eq!(in_charge(&server).await, [2, 2, 2, 2, 3]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_away_costs_nothing_but_a_word() {
    let (state, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = place.path().join("mine.wasm");
    let from_file = || {
        let file = file.clone();
        setup(&state).with(move |config| {
            config.ranking.source = wastegate_cli::config::PolicySource::File(file);
        })
    };
    std::fs::write(&file, shipped("lru")).unwrap();
    let server = from_file().start().await;
    let digest = server.get("/v1/revisions/1").await.json()["digest"].clone();
    server.stop().await;

    // Away, and then no policy any more: the last good one goes on.
    for broken in [None, Some(&b"no wasm"[..])] {
        match broken {
            None => std::fs::remove_file(&file).unwrap(),
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
        }
        let server = from_file().start().await;
        assert_eq!(in_charge(&server).await, [1; 5]);
        let current = server.catalog.current().unwrap();
        assert_eq!(json!(&*current.about().digest), digest);
        let told = entries(&server, "fell-back").await;
        assert!(
            told.iter()
                .any(|told| told.contains("the policy that was active goes on")
                    && told.contains(file.to_str().unwrap())
                    || told.contains("not WebAssembly")),
            "{told:?}"
        );
        server.stop().await;
    }

    // New content of the same source takes the place of the old one.
    std::fs::write(&file, shipped("fifo")).unwrap();
    let server = from_file().start().await;
    assert_eq!(in_charge(&server).await, [2; 5]);
    // Unless an operator chose something else meanwhile.
    ok(&server, "/v1/policies/random/activate", json!({})).await;
    server.stop().await;
    std::fs::write(&file, shipped("largest-first")).unwrap();
    let server = from_file().start().await;
    assert_eq!(in_charge(&server).await, [3; 5]);
    let fourth = server.get("/v1/revisions/4").await.json();
    assert_eq!(
        (&fourth["policy"], &fourth["by"]),
        (&json!("largest-first"), &json!("config"))
    );
    server.stop().await;

    // Without a state directory nobody can go on, so it is told at once.
    std::fs::remove_file(&file).unwrap();
    let refused = Setup::new()
        .with(|config| {
            config.ranking.source = wastegate_cli::config::PolicySource::File(file.clone())
        })
        .try_start()
        .await;
    let told = wastegate_core::types::chain(&refused.err().unwrap());
    assert!(told.contains("cannot read the policy in"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_state_directory_never_keeps_it_from_starting() {
    let state = TempDir::new().unwrap();
    let server = setup(&state).start().await;
    server.upload("lru", "activate=true", shipped("lru")).await;
    let digest = server.get("/v1/revisions/2").await.json()["digest"].clone();
    server.stop().await;

    // The bytes of the active one are cut short: who was there before is.
    let file = state
        .path()
        .join(format!("wasm/{}.wasm", digest.as_str().unwrap()));
    std::fs::write(&file, b"cut").unwrap();
    let server = setup(&state).start().await;
    assert_eq!(in_charge(&server).await, [1; 5]);
    let told = entries(&server, "fell-back").await;
    assert!(
        told.iter()
            .any(|told| told.contains("is not what was written there")),
        "{told:?}"
    );
    // Brought again it is whole again, and the same revision.
    let again = server
        .upload("lru", "activate=true", shipped("lru"))
        .await
        .json();
    assert_eq!(
        (&again["revision"], &again["new"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(in_charge(&server).await, [2; 5]);
    server.stop().await;

    // No ledger at all: it begins with the configuration, and no number is given twice.
    for name in ["ledger.json", "ledger.previous.json"] {
        std::fs::write(state.path().join(name), "{").unwrap();
    }
    let server = setup(&state).start().await;
    let told = entries(&server, "fell-back").await;
    assert!(
        told.iter()
            .any(|told| told.contains("ledger.json: it is not a ledger")),
        "{told:?}"
    );
    let now = in_charge(&server).await;
    assert!(now.iter().all(|revision| *revision == 3), "{now:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_cannot_have_one_state_directory() {
    let state = TempDir::new().unwrap();
    let server = setup(&state).start().await;
    let second = setup(&state).try_start().await;
    let told = wastegate_core::types::chain(&second.err().unwrap());
    assert!(told.contains("is in use by another process"), "{told}");
    server.stop().await;
    let _free: Value = setup(&state).start().await.get("/v1/policies").await.json();
}
