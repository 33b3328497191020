//! Publishing to registries that ask who we are in their own ways.

use super::*;

/// What a registry that has nothing yet answers to who is let in.
fn empty(asked: &Asked<'_>) -> Reply {
    match asked.method {
        "HEAD" => status("404 Not Found"),
        "POST" => {
            let place = format!("{}abc?state=1", asked.path);
            Reply::Say("202 Accepted", format!("Location: {place}\r\n"), Vec::new())
        }
        _ => status("201 Created"),
    }
}

async fn published(fake: &Fake) -> Result<Published, String> {
    let (reference, about) = (fake.reference(":1"), About::default());
    let config = config_of(fake);
    let published = publish(&config, &reference, MODULE, Some("signed"), &about).await;
    published.map_err(|error| wastegate_core::types::chain(&error))
}

#[tokio::test]
async fn what_is_there_is_not_uploaded_again() {
    let fake = Fake::hearing(|asked| match asked.method {
        "HEAD" => status("200 OK"),
        _ => empty(asked),
    })
    .await;
    let done = published(&fake).await.unwrap();
    assert_eq!(done.digest, format!("sha256:{}", digest(&manifest())));
    let asked = fake.requests();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[2], "PUT /v2/policies/lru/manifests/1");
}

/// P08: the front door lets everybody in, and the upload asks for a name.
#[tokio::test]
async fn p08_a_challenge_at_the_upload_is_answered() {
    let fake = Fake::hearing(|asked| match (asked.method, asked.says()) {
        ("HEAD", _) | (_, Some("Basic YW5uOmh1bnRlcjI=")) => empty(asked),
        (_, Some(_)) => status("403 Forbidden"),
        (_, None) if asked.path == "/v2/" => status("200 OK"),
        (_, None) => challenged(&["Basic realm=\"x\""]),
    })
    .await;
    published(&fake).await.unwrap();
    let heads = fake.asked.lock();
    let first = heads
        .iter()
        .position(|head| head.to_lowercase().contains("authorization"));
    assert_eq!(first, Some(2), "not before it is asked for: {heads:#?}");
    let uploads = heads
        .iter()
        .filter(|head| head.starts_with("PUT ") && head.contains("state=1&digest=sha256"));
    assert_eq!(uploads.count(), 2);
}

/// P08: a token for reading does not do for writing; the second challenge says what does.
#[tokio::test]
async fn p08_a_wider_scope_is_asked_for_when_it_is_wanted() {
    let service = Fake::hearing(|asked| {
        let token = if asked.path.contains("push") {
            "writes"
        } else {
            "reads"
        };
        ok(format!("{{\"token\":\"{token}\"}}"))
    })
    .await;
    let realm = format!("http://{}/token", service.address);
    let fake = Fake::hearing(move |asked| {
        let (scope, may) = match (asked.method, asked.says()) {
            ("HEAD", says) => ("pull", says.is_some()),
            (_, says) => ("pull,push", says == Some("Bearer writes")),
        };
        if may {
            return empty(asked);
        }
        let challenge =
            format!("Bearer realm=\"{realm}\",scope=\"repository:policies/lru:{scope}\"");
        challenged(&[&challenge])
    })
    .await;
    published(&fake).await.unwrap();
    assert_eq!(service.asked().len(), 2, "{:?}", service.asked());
}

#[tokio::test]
async fn what_is_refused_says_so() {
    let fake = Fake::hearing(|asked| match asked.method {
        "PUT" => Reply::Say(
            "400 Bad Request",
            String::new(),
            b"{\"errors\":[{\"message\":\"digest invalid\"}]}".to_vec(),
        ),
        _ => empty(asked),
    })
    .await;
    let message = published(&fake).await.unwrap_err();
    assert!(
        message.contains("did not take the policy") && message.contains("digest invalid"),
        "{message}"
    );
    let fake = Fake::hearing(|asked| match asked.method {
        "POST" => status("202 Accepted"),
        _ => empty(asked),
    })
    .await;
    let message = published(&fake).await.unwrap_err();
    assert!(message.contains("says no place to upload to"), "{message}");
    // Credentials do not go where an upload leads.
    let fake = Fake::hearing(|asked| match (asked.method, asked.says()) {
        ("HEAD", _) => status("404 Not Found"),
        (_, None) => challenged(&["Basic realm=\"x\""]),
        _ => Reply::Say(
            "202 Accepted",
            "Location: http://elsewhere.example/\r\n".to_owned(),
            Vec::new(),
        ),
    })
    .await;
    let message = published(&fake).await.unwrap_err();
    assert!(message.contains("we do not go there"), "{message}");
}
