//! "Why was ann disconnected?" is answered by one command, from what the server remembers.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wastegate::manager::NoApplication;
use wastegate_tests::harness::{End, Server, Setup, until_async};

use crate::experiments::{done, run};
use crate::knock::knock;
use crate::world_backend::backend;
use crate::world_words::{Served, listens};

/// The timeline of a user, as soon as it has an answer that says so.
pub(crate) async fn answered(server: &Server, query: &str, says: &str) -> Value {
    let mut last = Value::Null;
    until_async(format!("an answer that says {says:?}"), async || {
        last = server.get(&format!("/v1/why?{query}")).await.json();
        let answer = last["answer"].as_str().unwrap_or_default();
        answer.contains(says)
    })
    .await;
    last
}

fn kinds(timeline: &Value) -> Vec<&str> {
    let lines = timeline["lines"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect()
}

/// A manager that was silent, and one that answered: what the decision knew, what the client answered, and
/// when it came back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eviction_is_explained_down_to_the_signals() {
    let server = Setup::new()
        .limit(2)
        .policy("lru")
        .short_goodbyes()
        .with(|config| config.health.probe_deadline = Duration::from_millis(150))
        .start()
        .await;
    let ghost = server.enter("ann", "ghost").await;
    ghost.silence().await;
    let mut tab = server.enter("ann", "tab").await;
    tab.echo("hello").await;
    let _new = server.enter("ann", "new").await;
    let dead = answered(&server, "user=ann&key=ghost", "did not answer").await;
    let answer = dead["answer"].as_str().unwrap();
    assert!(
        answer.starts_with("`ghost` was disconnected at "),
        "{answer}"
    );
    for part in [
        "evicted because its user needed room, in the tier `aggressive`, number 1 of 1 that it might take, by lru",
        "it did not answer a probe, silent for ",
        "Its client was told 4001 and did not answer.",
    ] {
        assert!(answer.contains(part), "{part:?} is not in {answer}");
    }
    assert_eq!(kinds(&dead), ["connected", "evicted", "ended"]);

    // Both answer now: the next one costs one that is in use, and that one comes back.
    let mut other = server.enter("ann", "other").await;
    let live = answered(&server, "user=ann&key=tab", "it was alive").await;
    let answer = live["answer"].as_str().unwrap();
    for part in [
        "in the tier `force`, number 1 of 2 that it might take, by lru",
        "it answers, idle for ",
        "the next would have been `new`, idle for ",
        "Its client was told 4501 and answered after ",
    ] {
        assert!(answer.contains(part), "{part:?} is not in {answer}");
    }
    let victims = live["lines"].as_array().unwrap();
    let decision = victims
        .iter()
        .find(|line| line["kind"] == "evicted")
        .unwrap();
    assert!(decision["decision"].as_u64().is_some(), "{decision}");
    other.echo("still here").await;

    // The same by one command.
    let said = done(&server, &["why", "ann", "--key", "ghost"]).await;
    assert!(said.contains("ghost  connected from 127.0.0.1"), "{said}");
    assert!(said.contains("`ghost` was disconnected at "), "{said}");
    let said = done(&server, &["why", "nobody"]).await;
    assert!(
        said.starts_with("no connection of nobody ended, and none was refused"),
        "{said}"
    );
    let (code, said) = run(&server, &["why", "ann", "--at", "noon"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("14:02"), "{said}");
}

/// A client that was evicted tells its reference to support, and that is enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_of_a_close_reason_leads_to_its_end() {
    let server = Setup::new().limit(1).short_goodbyes().start().await;
    let mut evicted = server.enter("ann", "tab").await;
    evicted.echo("hello").await;
    let _new = server.enter("ann", "new").await;
    let End::Closed { reason: told, .. } = evicted.ended().await else {
        panic!("no Close");
    };
    let reference = told.rsplit_once("(why ").unwrap().1.trim_end_matches(')');
    let by_reference = format!("reference={reference}");
    let timeline = answered(
        &server,
        &by_reference,
        "evicted because its user needed room",
    )
    .await;
    assert_eq!(timeline["user"], "ann");
    let ended = timeline["lines"].as_array().unwrap().iter();
    let mut ended = ended.filter(|line| line["kind"] == "ended");
    assert_eq!(ended.next().unwrap()["reference"], reference);
    // In one command, in either case by the API, and as it is read out on the telephone.
    let said = done(&server, &["why", reference]).await;
    assert!(said.contains("`tab` was disconnected at "), "{said}");
    let lower = format!("reference={}", reference.to_lowercase());
    assert_eq!(
        server.get(&format!("/v1/why?{lower}")).await.json(),
        timeline
    );
    for (query, status, part) in [
        (
            "reference=000000",
            404,
            "nothing is remembered of a connection 000000",
        ),
        ("reference=7F3", 422, "six letters and digits"),
        ("", 422, "give `user`, or the `reference`"),
    ] {
        let refused = server.get(&format!("/v1/why?{query}")).await;
        assert_eq!(refused.status, status, "{query}");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{query}: {message}");
    }
    // A user of such a name is found, where no connection is.
    let _named = server.enter("ABCDEF", "tab").await;
    let said = done(&server, &["why", "ABCDEF"]).await;
    assert!(said.contains("tab  connected from"), "{said}");
}

/// Ends that no decision chose, and refusals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_end_has_its_sentence() {
    let server = Setup::new()
        .limit(1)
        .without_force()
        .short_goodbyes()
        .start()
        .await;
    let first = server
        .attach(server.dial("ann", "tab").device("phone"))
        .await;
    let mut second = server
        .attach(server.dial("ann", "tab").device("phone"))
        .await;
    let taken = answered(&server, "user=ann", "a newer connection of the same device").await;
    assert!(
        taken["answer"].as_str().unwrap().contains("told 4500"),
        "{taken}"
    );
    drop(first);

    second.echo("hello").await;
    server.refused("ann", "more").await;
    let refused = answered(&server, "user=ann&key=more", "was refused").await;
    assert_eq!(kinds(&refused), ["refused"]);
    assert_eq!(refused["lines"][0]["reason"], "user-limit");

    let at = server.dial("bob", "raw");
    let mut stream = at.tcp().await;
    stream.write_all(at.request().as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    // A frame of a reserved kind.
    stream.write_all(&[0x83, 0x80, 1, 2, 3, 4]).await.unwrap();
    answered(
        &server,
        "user=bob",
        "it sent what the WebSocket protocol forbids",
    )
    .await;

    second.leave().await;
    let left = answered(&server, "user=ann&key=tab", "its client closed it").await;
    assert!(!left["answer"].as_str().unwrap().contains("told"), "{left}");

    // Names stay text, and a question that makes no sense is refused by the key.
    let reply = server.get("/v1/why?user=ann&when=now").await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("when"), "{}", reply.body);
}

/// In front of a backend that goes away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_gone_is_named() {
    let upstream = backend(|mut stream, _| async move {
        // The first byte of the client, and the connection is gone.
        let _ = stream.read_u8().await;
    })
    .await;
    let server = Setup::new()
        .application(NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![format!("ws://{upstream}").parse().unwrap()];
        })
        .start()
        .await;
    let mut client = server.enter("ann", "tab").await;
    client.say("hello").await;
    client.closed().await;
    let gone = answered(&server, "user=ann", "the backend's connection failed").await;
    assert_eq!(gone["lines"][1]["code"], 1011, "{gone}");
}

/// One line at the end of each connection, if the operator wants it: by name, or as the journals name users.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_log_has_a_line_for_each_connection() {
    for (access, names) in [("plain", true), ("hashed", false)] {
        let access = format!("observe.log.access={access}");
        let settings = [
            "--json",
            "--set",
            &access,
            "--set",
            "observe.log.format=json",
        ];
        let mut served = Served::start(&settings);
        let told = served.json().await;
        let target = "/ws?user=ann&key=tab";
        let mut client = knock(listens(&told), target, &[]).await.unwrap();
        client.close(None).await.unwrap();
        served.says("connection ended").await;
        let log = served.log();
        let line = log
            .lines()
            .find(|line| line.contains("connection ended"))
            .unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["user"] == "ann", names, "{line}");
        assert_eq!(line["manager"] == "tab", names, "{line}");
        assert_eq!(line["reason"], "client-closed", "{line}");
        // The client closed it: the gateway told it no code.
        assert_eq!(
            (line.get("code"), &line["from"]),
            (None, &"127.0.0.1".into())
        );
        for number in ["lasted_ms", "bytes_in", "bytes_out"] {
            assert!(line[number].as_u64().is_some(), "{line}");
        }
    }
}

/// An operator's lever is named as such, for who was there and for who comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_is_named() {
    let server = Setup::new().short_goodbyes().start().await;
    let mut tab = server.enter("ann", "tab").await;
    let block = json!({ "for_s": 60, "reason": "a test" });
    let reply = server.put("/v1/users/ann/block", &block).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    tab.closed().await;
    answered(&server, "user=ann", "an operator blocked its user").await;
    server.refused("ann", "other").await;
    answered(
        &server,
        "user=ann&key=other",
        "an operator has blocked its user",
    )
    .await;
}
