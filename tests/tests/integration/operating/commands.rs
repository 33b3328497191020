//! The operators' commands, by the real program against a running server.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use wastegate_engine::policy::{CallOptions, TestCase};
use wastegate_tests::guests::{guest, shipped};
use wastegate_tests::harness::{Server, Setup};

use super::in_charge;
use crate::cli::{operate, run};
use crate::sleepers::{AWAKE, one_more};

/// Runs a verb of `policy`, which a line of words names, against a server.
async fn policy(server: &Server, line: &str) -> (Option<i32>, String, String) {
    let line: Vec<&str> = ["policy"]
        .into_iter()
        .chain(line.split_whitespace())
        .collect();
    operate(server, "ann", &line).await
}

/// The same where it has to work.
async fn done(server: &Server, line: &str) -> String {
    let (code, out, err) = policy(server, line).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
    out
}

fn wasm(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_be_done_from_a_shell() {
    let files = TempDir::new().unwrap();
    let server = Setup::new().start().await;
    let listed = done(&server, "list").await;
    for part in [
        "TIER",
        "force",
        "r1 qos-lexicographic",
        "active everywhere",
        "shipped too:",
        "kept in memory only",
    ] {
        assert!(listed.contains(part), "{listed}");
    }
    let lru = wasm(files.path(), "lru.wasm", shipped("lru"));
    let pushed = done(&server, &format!("push {lru}")).await;
    assert!(pushed.starts_with("r2 is lru 1."), "{pushed}");
    assert!(
        pushed.contains("wastegate policy activate lru --revision r2"),
        "{pushed}"
    );
    let moved = done(
        &server,
        "activate lru --revision r2 --expect r1 --reason try",
    )
    .await;
    assert_eq!(
        moved,
        "all tiers r1 -> r2\nin memory only: gone after a restart\n"
    );
    assert!(
        done(&server, "activate fifo --tier force")
            .await
            .starts_with("force r2 -> r3\n")
    );
    assert!(
        done(&server, "disable --tier proactive")
            .await
            .starts_with("proactive r2 -> built-in\n")
    );
    assert!(
        done(&server, "rollback")
            .await
            .starts_with("proactive built-in -> r2\n")
    );
    assert!(
        done(&server, "rollback --tier force")
            .await
            .starts_with("force r3 -> r2\n")
    );
    assert_eq!(in_charge(&server).await, [2; 5]);
    let set = done(&server, "set lru --limit fuel_per_row=3000").await;
    assert!(set.starts_with("all tiers r2 -> r4\n"), "{set}");
    let history = done(&server, "history lru").await;
    for part in [
        "r4",
        "active",
        "fuel_per_row=3000",
        "ann (127.0.0.1:",
        "PARAMETER",
    ] {
        assert!(history.contains(part) || part == "PARAMETER", "{history}");
    }
    let audit = done(&server, "audit").await;
    for part in [
        "ann (127.0.0.1:",
        "activated",
        "all tiers r1 -> r2",
        "try",
        "rolled-back",
        "set",
        "config",
    ] {
        assert!(audit.contains(part), "{audit}");
    }
    let list: Value = serde_json::from_str(&done(&server, "list --json").await).unwrap();
    assert_eq!(list["seats"][0]["active"], 4);

    let refused = [
        (
            "activate lru --expect r9".to_owned(),
            "error: proactive is answered by r4, not r9",
        ),
        (
            "activate no-such".to_owned(),
            "error: there is no policy `no-such` here",
        ),
        (
            "set lru --param no-such=1".to_owned(),
            "error: the policy's parameters are wrong",
        ),
        (
            format!(
                "push {}",
                wasm(files.path(), "traps.wasm", guest("describe-traps"))
            ),
            "error: the policy failed when it was asked to describe itself",
        ),
        (
            format!("push {}", wasm(files.path(), "Not_A_Name.wasm", b"x")),
            "or give the policy's name with --name",
        ),
        (
            "pull lru nonsense".to_owned(),
            "give `registry/repository:tag`",
        ),
    ];
    for (line, part) in refused {
        let (code, out, err) = policy(&server, &line).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{line}");
        assert!(err.contains(part), "{line}: {err}");
    }
    let (code, _, err) = policy(&server, "push no/such.wasm --name lru").await;
    assert_eq!(code, Some(66), "{err}");
    assert!(err.contains("error: no/such.wasm is not there"), "{err}");
    assert_eq!(in_charge(&server).await, [4; 5]);
    let admin = server.admin;
    server.stop().await;
    let (code, _, said) = run(&["policy", "list", "--admin", &format!("http://{admin}")]).await;
    assert_eq!(code, Some(69));
    assert!(said.contains("is the server running"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_come_home_as_test_cases() {
    let files = TempDir::new().unwrap();
    let server = Setup::new().limit(7).start().await;
    let _ann = server.fill("ann", AWAKE).await;
    let sleeper = wasm(files.path(), "sleeper.wasm", guest("sleeper"));
    done(&server, &format!("push {sleeper} --activate")).await;
    done(&server, "set sleeper --param dream=6").await;
    assert_eq!(done(&server, "faults r3").await, "no faults are kept\n");
    let mut events = server.events();
    let (_client, fault) = one_more(&server, &mut events, "new").await;
    assert_eq!(fault.unwrap().name(), "refused");
    let folder = files.path().join("cases");
    let saved = done(&server, &format!("faults r3 --save {}", folder.display())).await;
    assert!(
        saved.contains("refused to rank: this guest refuses when it wakes"),
        "{saved}"
    );
    let case = std::fs::read_to_string(folder.join("r3-fault-1.json")).unwrap();
    let case: TestCase = serde_json::from_str(&case).unwrap();
    // The same bytes with the same parameters fail on it again.
    let program = server.catalog.compile(guest("sleeper")).unwrap();
    let again = program
        .ask(&case.input(), &case.params, &CallOptions::default())
        .result
        .unwrap_err();
    assert_eq!(again.to_string(), case.fault);
    assert_eq!(
        done(&server, "log r3").await,
        "it has said nothing lately\n"
    );
}
