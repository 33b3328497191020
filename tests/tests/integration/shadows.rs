//! Policies that rank beside the active one: compared, and without any effect.

use serde_json::json;
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Setup, until_async};

use crate::experiments::{crowd, done, run};

/// Three shadows on the same decisions: one that agrees, one that would take the others, one that
/// traps. Only the active one ever evicts, and the one that traps is quarantined nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadows_see_the_same_questions_and_touch_nobody() {
    let server = Setup::new()
        .limit(2)
        .policy("lru")
        .short_goodbyes()
        .start()
        .await;
    for name in ["reversed", "sleeper"] {
        server.upload(name, "", guest(name)).await;
    }
    done(&server, &["shadow", "start", "lru", "--name", "same"]).await;
    done(&server, &["shadow", "start", "reversed"]).await;
    done(
        &server,
        &["shadow", "start", "sleeper", "--param", "dream=1"],
    )
    .await;
    let mut events = server.events();
    let _clients = crowd(&server, 0..40).await;
    let decided = events.so_far().decided;
    assert!(decided.iter().all(|one| &*one.answer.policy.name == "lru"));
    let made = decided.len();
    for name in ["same", "reversed", "sleeper"] {
        until_async(format!("{name} to have seen everything"), async || {
            let view = server.get(&format!("/v1/shadows/{name}")).await.json();
            view["asked"].as_u64().unwrap() + view["dropped"].as_u64().unwrap() >= made as u64
        })
        .await;
    }
    let view = async |name: &str| server.get(&format!("/v1/shadows/{name}")).await.json();
    let same = view("same").await;
    assert_eq!(
        same["agreement"]["same_first"], same["agreement"]["compared"],
        "{same}"
    );
    assert_eq!(same["outcomes"]["partings"], 0, "{same}");
    assert_eq!(
        same["fuel"][0], same["live_fuel"],
        "the same code on the same rows: {same}"
    );
    let reversed = view("reversed").await;
    assert_eq!(reversed["agreement"]["same_first"], 0, "{reversed}");
    assert_eq!(
        reversed["agreement"]["kendall_tau_b"][0], -1.0,
        "{reversed}"
    );
    assert_eq!(
        reversed["outcomes"]["partings"], reversed["agreement"]["compared"],
        "{reversed}"
    );
    let example = &reversed["examples"][0];
    assert_eq!(
        example["live"]["wrong"], true,
        "it answered our Close: {reversed}"
    );
    assert!(
        example["live"]["idle_ms"].as_f64() > example["shadow"]["idle_ms"].as_f64(),
        "{example}"
    );
    let sleeper = view("sleeper").await;
    assert_eq!(sleeper["faults"]["trap"], sleeper["asked"], "{sleeper}");
    let policies = server.get("/v1/policies").await.body;
    assert!(!policies.contains("quarantined"), "{policies}");

    let status = done(&server, &["shadow", "status"]).await;
    for part in [
        "reversed: reversed 1.0.0, asked about",
        "tau-b -1.000",
        "shadow would take (",
        "not the effect of deploying",
    ] {
        assert!(status.contains(part), "{status}");
    }
    done(&server, &["shadow", "stop", "sleeper"]).await;
    let (code, told) = run(&server, &["shadow", "stop", "sleeper"]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("there is no shadow `sleeper`"), "{told}");
    let refused = server
        .post("/v1/shadows", &json!({"policy": "lru", "sample": 2.0}))
        .await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    let audit = server.get("/v1/audit").await.body;
    assert!(
        audit.contains("shadow-started") && audit.contains("shadow-stopped"),
        "{audit}"
    );
}
