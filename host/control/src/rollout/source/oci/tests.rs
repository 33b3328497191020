//! Registries that misbehave, each a few lines behind a real socket. The well-behaved one is in the
//! integration tests.

mod asked;
mod credentials;
mod fake;
mod patience;
mod polling;
mod publishing;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::*;
use crate::rollout::source::{Receive, Received, Sighting};
use fake::{Asked, Fake, Reply};
use wastegate_core::types::Secret;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply::Say("200 OK", String::new(), body.into())
}

fn to(place: &str) -> Reply {
    Reply::Say(
        "307 Temporary Redirect",
        format!("Location: {place}\r\n"),
        Vec::new(),
    )
}

fn manifest() -> Vec<u8> {
    let built = artifact::build(MODULE, Some("signed"), &About::default()).unwrap();
    built.manifest.bytes.to_vec()
}

/// What a good registry answers.
fn good(path: &str) -> Reply {
    if path.contains("/manifests/") {
        let digest = digest(&manifest());
        let header = format!("Docker-Content-Digest: sha256:{digest}\r\n");
        Reply::Say("200 OK", header, manifest())
    } else {
        ok(MODULE)
    }
}

/// A refusal with challenges, one a line.
fn challenged(challenges: &[&str]) -> Reply {
    let lines = challenges.iter();
    let lines = lines.map(|challenge| format!("WWW-Authenticate: {challenge}\r\n"));
    Reply::Say("401 Unauthorized", lines.collect(), Vec::new())
}

fn status(status: &'static str) -> Reply {
    Reply::Say(status, String::new(), Vec::new())
}

fn config() -> Config {
    Config {
        timeout: Duration::from_secs(10),
        ..Config::default()
    }
}

async fn refused(fake: &Fake) -> String {
    let refused = pull(&config(), &fake.reference(":1"), 100)
        .await
        .unwrap_err();
    refused.to_string()
}

#[tokio::test]
async fn a_policy_comes_with_its_signature_and_what_its_tag_means() {
    let fake = Fake::new(|path, _| good(path)).await;
    let fetched = pull(&config(), &fake.reference(":1"), 8).await.unwrap();
    assert_eq!((&*fetched.bytes, fetched.name.as_str()), (MODULE, "lru"));
    assert_eq!(fetched.signature.as_deref(), Some("signed"));
    let pinned = format!(
        "{}/policies/lru:1@sha256:{}",
        fake.address,
        digest(&manifest())
    );
    assert_eq!(fetched.origin, PolicyOrigin::Registry(pinned));
    let expected = [
        "/v2/policies/lru/manifests/1".to_owned(),
        format!("/v2/policies/lru/blobs/sha256:{}", digest(MODULE)),
    ];
    assert_eq!(fake.asked(), expected);
}

#[tokio::test]
async fn a_pin_is_the_bytes_that_it_names() {
    let fake = Fake::new(|path, _| good(path)).await;
    let right = fake.reference(&format!("@sha256:{}", digest(&manifest())));
    assert!(pull(&config(), &right, 8).await.is_ok());
    let wrong = fake.reference(&format!("@sha256:{}", digest(b"other")));
    let message = pull(&config(), &wrong, 8).await.unwrap_err().to_string();
    assert!(
        message.starts_with("the manifest is not sha256:"),
        "{message}"
    );
    let swapped = Fake::new(|path, _| match path.contains("/manifests/") {
        true => ok(manifest()),
        false => ok(*b"\0asm\x01\0\0\x01"),
    })
    .await;
    let message = refused(&swapped).await;
    assert!(
        message.starts_with("the policy is not sha256:"),
        "{message}"
    );
}

#[tokio::test]
async fn no_more_is_read_than_is_accepted_whatever_is_claimed() {
    let endless = Fake::new(|_, _| Reply::Endless).await;
    let message = refused(&endless).await;
    assert!(message.contains("has more than 262144 bytes"), "{message}");
    let layer = Fake::new(|path, _| match path.contains("/manifests/") {
        true => ok(manifest()),
        false => Reply::Endless,
    })
    .await;
    let message = refused(&layer).await;
    assert!(
        message.contains("has more than 100 bytes") && message.contains("`policy.size_bytes_max`"),
        "{message}"
    );
    // It says itself that it is larger: nobody asks for it.
    let honest = Fake::new(|path, _| good(path)).await;
    let message = pull(&config(), &honest.reference(":1"), 7)
        .await
        .unwrap_err();
    assert!(
        matches!(message, RegistryError::TooLarge { max: 7, .. }),
        "{message}"
    );
    assert_eq!(honest.asked().len(), 1);
}

#[tokio::test]
async fn each_trouble_has_its_own_sentence() {
    let error = |status, body: &'static str| {
        move |_: &str, _| Reply::Say(status, String::new(), body.into())
    };
    for (script, why) in [
        (
            error(
                "404 Not Found",
                "{\"errors\":[{\"message\":\"manifest\\nunknown\"}]}",
            ),
            "has no manifest policies/lru:1: check repository, tag and digest (it says: manifest\\nunknown)",
        ),
        (
            error("403 Forbidden", ""),
            "`policy.registry.password`, or check them",
        ),
        (
            error("401 Unauthorized", ""),
            "`policy.registry.password`, or check them",
        ),
        (
            error("400 Bad Request", "<html>"),
            "answered 400 when asked for manifest policies/lru:1",
        ),
        (
            error("200 OK", "<html>"),
            "is no policy: its manifest is no JSON",
        ),
        (error("302 Found", ""), "it redirects to nowhere"),
    ] {
        let message = refused(&Fake::new(script).await).await;
        assert!(message.contains(why), "{message}");
    }
    let message = refused(&Fake::new(|_, _| Reply::Raw(b"220 mail.example ESMTP\r\n")).await).await;
    assert!(message.contains("cannot be reached"), "{message}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("{}/policies/lru:1", listener.local_addr().unwrap());
    drop(listener);
    let message = pull(&config(), &nobody.parse().unwrap(), 8)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("cannot be reached") && message.contains("http"),
        "{message}"
    );
}

#[tokio::test]
async fn a_registry_that_hangs_is_left_within_the_deadline() {
    let impatient = Config {
        timeout: Duration::from_millis(200),
        ..config()
    };
    let late = |fake: Fake| {
        let impatient = &impatient;
        async move {
            pull(impatient, &fake.reference(":1"), 100)
                .await
                .unwrap_err()
                .to_string()
        }
    };
    let message = late(Fake::new(|_, _| Reply::Hang).await).await;
    assert!(
        message.ends_with("did not answer within 200 ms (`policy.registry.timeout_ms`)"),
        "{message}"
    );
    let message = late(
        Fake::new(|path, _| match path.contains("/manifests/") {
            true => ok(manifest()),
            false => Reply::Hang,
        })
        .await,
    )
    .await;
    assert!(message.contains("within 200 ms"), "{message}");
}

#[tokio::test]
async fn trouble_that_passes_is_waited_for_and_no_longer_than_that() {
    let passing = Fake::new(|path, before| match before {
        0 => Reply::Say("503 Service Unavailable", String::new(), Vec::new()),
        1 => Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken off"),
        _ => good(path),
    })
    .await;
    assert!(pull(&config(), &passing.reference(":1"), 8).await.is_ok());
    assert_eq!(passing.asked().len(), 4);
    let lasting = Fake::new(|_, _| Reply::Say("500 Oops", String::new(), Vec::new())).await;
    let message = refused(&lasting).await;
    assert!(message.contains("answered 500"), "{message}");
    assert_eq!(lasting.asked().len(), 3);
}

#[tokio::test]
async fn redirects_are_bounded_and_do_not_leave_for_anywhere() {
    let circle = Fake::new(|path, _| to(path)).await;
    let message = refused(&circle).await;
    assert!(
        message.ends_with("redirects more than 5 times"),
        "{message}"
    );
    assert_eq!(circle.asked().len(), 6);
    for (place, why) in [
        (
            "http://registry.example/x",
            "http://registry.example, and we do not go there: it is not encrypted",
        ),
        ("file:///etc/passwd", "it is not HTTP"),
    ] {
        let message = refused(&Fake::new(move |_, _| to(place)).await).await;
        assert!(message.contains(why), "{message}");
    }
    // Storage elsewhere on this machine, as registries have it.
    let storage = Arc::new(Fake::new(|_, _| ok(MODULE)).await);
    let there = storage.address;
    let fake = Fake::new(move |path, _| match path.contains("/manifests/") {
        true => good(path),
        false => to(&format!("http://{there}/storage?signed=1")),
    })
    .await;
    assert!(pull(&config(), &fake.reference(":1"), 8).await.is_ok());
    assert_eq!(storage.asked(), ["/storage?signed=1"]);
}

/// A registry outside could look around in our network through us.
#[test]
fn a_registry_outside_points_at_nothing_inside() {
    let outside = Transport::new(&"registry.example/lru:1".parse().unwrap(), false).unwrap();
    let inside = Transport::new(&"10.0.0.1:5000/lru:1".parse().unwrap(), false).unwrap();
    let go = |from: &Transport, to: &str| from.may_go(&to.parse().unwrap()).is_ok();
    assert!(
        go(&outside, "https://storage.example/x") && go(&outside, "https://registry.example/y")
    );
    for to in [
        "https://169.254.169.254/latest",
        "https://localhost/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/",
        "http://registry.example/x",
        "https://127.1/x",
        "https://0x7f000001/",
    ] {
        assert!(!go(&outside, to), "{to}");
    }
    assert!(go(&inside, "https://10.0.0.2/storage"));
}

fn config_of(fake: &Fake) -> Config {
    Config {
        reference: Some(fake.reference(":1")),
        credentials: Credentials {
            username: "ann".to_owned(),
            password: Secret::new("hunter2"),
        },
        ..config()
    }
}
