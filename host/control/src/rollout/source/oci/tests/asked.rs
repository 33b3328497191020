//! Registries that refuse without a question, and what they have in place of a policy.

use super::*;

const BASIC: &str = "Basic YW5uOmh1bnRlcjI=";

/// P09: refused without a challenge, whatever the word for it: the front door is asked what it wants.
#[tokio::test]
async fn p09_who_refuses_without_a_challenge_is_asked_at_the_door() {
    for refusal in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        let fake = Fake::hearing(move |asked| match (asked.path, asked.says()) {
            ("/v2/", _) => challenged(&["Basic realm=\"x\""]),
            (_, Some(BASIC)) => good(asked.path),
            (_, _) => status(refusal),
        })
        .await;
        pull(&config_of(&fake), &fake.reference(":1"), 8)
            .await
            .unwrap();
        assert_eq!(fake.asked()[1], "/v2/");
        assert_eq!(fake.asked().len(), 4, "{refusal}");
    }
}

/// P09: where the door is open to everybody, the credentials are tried.
#[tokio::test]
async fn p09_an_open_door_means_that_credentials_are_tried() {
    for refusal in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        let fake = Fake::hearing(move |asked| match (asked.path, asked.says()) {
            ("/v2/", _) => ok("{}"),
            (_, Some(BASIC)) => good(asked.path),
            (_, _) => status(refusal),
        })
        .await;
        pull(&config_of(&fake), &fake.reference(":1"), 8)
            .await
            .unwrap();
        // Without credentials for it, it is what it says.
        let refused = pull(&config(), &fake.reference(":1"), 8).await;
        assert!(refused.is_err());
    }
    // What they do not help is not for want of them.
    let fake = Fake::new(|_, _| status("403 Forbidden")).await;
    let refused = pull(&config_of(&fake), &fake.reference(":1"), 8)
        .await
        .unwrap_err();
    let message = refused.to_string();
    assert!(
        message.contains("it heard who we are") && !message.contains("set `policy"),
        "{message}"
    );
}

/// P09: a registry is the same one in any case.
#[tokio::test]
async fn p24_credentials_go_to_the_registry_in_any_case() {
    let fake = Fake::hearing(|asked| match asked.says() {
        Some(BASIC) => good(asked.path),
        _ => challenged(&["Basic realm=\"x\""]),
    })
    .await;
    let port = fake.address.port();
    let reference = |host: &str| format!("{host}:{port}/policies/lru:1").parse().unwrap();
    let config = Config {
        reference: Some(reference("localhost")),
        ..config_of(&fake)
    };
    pull(&config, &reference("LOCALHOST"), 8).await.unwrap();
}

/// P24: the manifest is there and its layer is not.
#[tokio::test]
async fn p24_a_missing_blob_says_so() {
    let fake = Fake::new(|path, _| match path.contains("/manifests/") {
        true => good(path),
        false => status("404 Not Found"),
    })
    .await;
    let message = refused(&fake).await;
    let digest = digest(MODULE);
    assert!(
        message.contains("has the manifest of") && message.contains(&*digest),
        "{message}"
    );
    assert!(!message.contains("check repository, tag"), "{message}");
}

/// P24, P27: by what a registry serves.
#[tokio::test]
async fn p27_a_layer_is_taken_whatever_the_case_of_its_type() {
    for (from, to) in [
        ("application/wasm\"", "application/Wasm\""),
        ("application/wasm\"", "application/wasm; charset=binary\""),
    ] {
        let text = String::from_utf8(manifest()).unwrap();
        assert!(text.contains(from));
        let changed = text.replace(from, to).into_bytes();
        let fake = Fake::new(move |path, _| match path.contains("/manifests/") {
            true => ok(changed.clone()),
            false => good(path),
        })
        .await;
        pull(&config(), &fake.reference(":1"), 8).await.unwrap();
    }
}
