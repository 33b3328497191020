//! What an operator sets on one node holds on all of them, whatever was away meanwhile.

use serde_json::{Value, json};
use wastegate_tests::harness::{Issuer, http, until, until_async};

use super::{Engine, LIMIT, Node};
use crate::knock::{closed, echo, knock, status};

async fn ask(node: &Node, method: &str, path: &str, body: Value) -> Value {
    let reply = http::ask(node.admin, method, path, Some(&body)).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

async fn block(node: &Node, user: &str) -> Value {
    let path = format!("/v1/users/{user}/block");
    ask(node, "PUT", &path, json!({ "reason": "a loop" })).await
}

async fn is_refused(node: &Node, user: &str) {
    until_async(format!("{user} is refused"), async || {
        match node.dial(user, "late").connect().await {
            Ok(client) => {
                client.leave().await;
                false
            }
            Err(refusal) => refusal.kind() == (403, "blocked".to_owned()),
        }
    })
    .await;
}

/// A node that keeps its state in a folder.
async fn kept(engine: &Engine, name: &str, folder: &std::path::Path) -> Node {
    let folder = folder.display();
    let more = format!("policy.rollout.state_dir = \"{folder}\"\nadmin.token = \"none\"");
    Node::with(engine, name, &more).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_a_limit_and_their_ends_hold_on_both_nodes() {
    let engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    let b = Node::with(&engine, "b", "").await;
    b.sees_nodes(2).await;
    let mut ann = b.enter("ann", "k0").await;
    ann.echo("before").await;
    let done = block(&a, "ann").await;
    assert_eq!(
        (&done["everywhere"], &done["problem"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(done["levers"]["block"]["node"], "a");
    until("ann's socket on b is closed", || !ann.is_open()).await;
    is_refused(&b, "ann").await;
    until_async("the audit log of b says from where", async || {
        let audit = b.get("/v1/audit").await.to_string();
        audit.contains("user-blocked") && audit.contains("on a)") && audit.contains("a loop")
    })
    .await;
    let events = b.get("/v1/why?user=ann").await.to_string();
    assert!(events.contains("on a)"), "{events}");

    // Taken back on the other node, from a shell, while that one may not have looked yet.
    let eve = block(&a, "eve").await;
    assert_eq!(eve["everywhere"], true);
    let out = b.verb(&["unblock", "eve", "--reason", "not her"]).await;
    assert_eq!(out, "eve: taken back\n  on all nodes of the cluster\n");
    b.verb(&["unblock", "ann", "--reason", "mended"]).await;
    until_async("both are free on a", async || {
        let users = a.get("/v1/users").await.to_string();
        !users.contains("a loop")
    })
    .await;
    let mut clients = Vec::new();
    for user in ["ann", "eve"] {
        for node in [&a, &b] {
            clients.push(node.enter(user, "again").await);
        }
    }

    // A raised limit counts on both: the managers of both nodes are under it.
    let body = json!({ "managers": LIMIT + 2, "reason": "a campaign" });
    ask(&a, "PUT", "/v1/users/bob/limit", body).await;
    until_async("b has the limit", async || {
        let bob = b.get("/v1/users/bob").await;
        bob["levers"]["limit"]["managers"] == LIMIT + 2
    })
    .await;
    for key in 0..LIMIT + 2 {
        let node = if key % 2 == 0 { &a } else { &b };
        clients.push(node.enter("bob", &format!("k{key}")).await);
    }
    assert_eq!(clients.iter().filter(|it| !it.is_open()).count(), 0);

    // One that starts has what holds, and nobody reads names in the engine.
    block(&b, "mallory").await;
    let c = Node::with(&engine, "c", "").await;
    is_refused(&c, "mallory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_on_one_node_closes_its_connection_on_the_other() {
    let engine = Engine::start().await;
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new("one");
    let keys = folder.path().join("keys.json");
    let text = json!({ "keys": [issuer.public()] }).to_string();
    std::fs::write(&keys, text).unwrap();
    let more = format!(
        "identity.mode = \"jwt\"\nidentity.jwt.keys_file = \"{}\"",
        keys.display()
    );
    let a = Node::with(&engine, "a", &more).await;
    let b = Node::with(&engine, "b", &more).await;
    let come = async |id: &str, key: &str| {
        let token = issuer.token(&json!({ "sub": "ann", "jti": id }), 600.0);
        let bearer = format!("Bearer {token}");
        let path = format!("/ws?key={key}");
        knock(b.gateway, &path, &[("authorization", &bearer)]).await
    };
    let mut stolen = come("stolen", "k0").await.unwrap();
    let mut other = come("other", "k1").await.unwrap();
    echo(&mut stolen, "still good").await;
    let reason = json!({ "reason": "ticket 7" });
    let done = ask(&a, "PUT", "/v1/revocations/tokens/stolen", reason).await;
    assert_eq!(
        (&done["closed"], &done["everywhere"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(closed(&mut stolen).await, 4005);
    assert_eq!(status(come("stolen", "k0").await), 401);
    echo(&mut other, "me not").await;
}

/// An engine that is killed comes back with nothing: what was set before and meanwhile holds on both nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_outlives_the_engine_and_one_that_is_set_without_it_holds_everywhere_later() {
    let mut engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    let b = Node::with(&engine, "b", "").await;
    block(&a, "ann").await;
    is_refused(&b, "ann").await;
    engine.kill();
    for node in [&a, &b] {
        node.sees("away").await;
    }
    let bob = block(&a, "bob").await;
    assert_eq!(bob["everywhere"], false);
    let problem = bob["problem"].as_str().unwrap();
    assert!(problem.contains("engine"), "{problem}");
    is_refused(&a, "bob").await;
    // Another order on the other node, which also sees no engine.
    let out = b.verb(&["block", "eve", "--reason", "spam"]).await;
    assert!(out.contains("on this node only for now"), "{out}");
    let mut client = b.enter("bob", "k0").await;
    client.echo("nobody has told b").await;

    engine.start_again().await;
    until("bob's socket on b is closed", || !client.is_open()).await;
    for node in [&a, &b] {
        for user in ["ann", "bob", "eve"] {
            is_refused(node, user).await;
        }
    }
    // What is taken back stays so when the engine forgets once more.
    b.verb(&["unblock", "bob", "--reason", "mended"]).await;
    until_async("bob is free on a", async || {
        a.get("/v1/users/bob").await["levers"]["block"] == Value::Null
    })
    .await;
    engine.kill();
    a.sees("away").await;
    engine.start_again().await;
    let c = Node::with(&engine, "c", "").await;
    is_refused(&c, "ann").await;
    is_refused(&c, "eve").await;
    let _bob = c.enter("bob", "k0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_again_has_the_levers_of_others_without_the_engine() {
    let mut engine = Engine::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut a = Node::with(&engine, "a", "").await;
    let mut b = kept(&engine, "b", folder.path()).await;
    block(&a, "ann").await;
    is_refused(&b, "ann").await;
    b.program.kill();
    a.program.kill();
    engine.kill();
    engine.start_again().await;
    let b = kept(&engine, "b", folder.path()).await;
    is_refused(&b, "ann").await;
    // And the engine has it from there.
    let a = Node::with(&engine, "a", "").await;
    is_refused(&a, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_secret_says_what_is_wrong() {
    let engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    block(&a, "ann").await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "another secret of sixteen\n").unwrap();
    let more = format!("cluster.secret_file = \"{}\"", secret.display());
    let strange = Node::with(&engine, "strange", &more).await;
    until_async("its status says so", async || {
        let status = strange.get("/v1/status").await;
        status["problems"]
            .to_string()
            .contains("cluster.secret_file")
    })
    .await;
    let done = block(&strange, "bob").await;
    assert_eq!(done["everywhere"], false);
    is_refused(&strange, "bob").await;
    is_refused(&a, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_hangs_holds_no_lever_up() {
    let engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    let b = Node::with(&engine, "b", "").await;
    block(&a, "ann").await;
    is_refused(&b, "ann").await;
    engine.signal("STOP");
    // The answers do not wait for the engine: they would come after it goes on, and say that all went well.
    let bob = block(&a, "bob").await;
    assert_eq!(bob["everywhere"], false, "{bob}");
    is_refused(&a, "bob").await;
    let out = b.verb(&["unblock", "ann", "--reason", "mended"]).await;
    assert!(
        out.starts_with("ann: taken back\n  on this node only for now"),
        "{out}"
    );
    let _ann = b.enter("ann", "k0").await;
    engine.signal("CONT");
    is_refused(&b, "bob").await;
    until_async("ann is free on a", async || {
        a.get("/v1/users/ann").await["levers"]["block"] == Value::Null
    })
    .await;
}
