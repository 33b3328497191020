//! Who we are, told to registries that ask for it, and tokens.

use super::*;

/// What each request said of who we are.
fn authorization(fake: &Fake) -> Vec<Option<String>> {
    let message = |head: &String| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        let (_, message) = headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
        Some(message.to_owned())
    };
    fake.asked.lock().iter().map(message).collect()
}

#[tokio::test]
async fn who_we_are_is_told_to_who_asks_and_to_nobody_else() {
    let fake = Fake::new(|path, before| match before {
        0 => Reply::Say(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(),
            Vec::new(),
        ),
        _ => good(path),
    })
    .await;
    let config = config_of(&fake);
    pull(&config, &fake.reference(":1"), 8).await.unwrap();
    let basic = Some("Basic YW5uOmh1bnRlcjI=".to_owned());
    assert_eq!(authorization(&fake), [None, basic.clone(), basic]);
    // Another registry asks the same and gets nothing.
    let other = Fake::new(|_, _| {
        Reply::Say(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(),
            Vec::new(),
        )
    })
    .await;
    let message = pull(&config, &other.reference(":1"), 8).await.unwrap_err();
    assert!(matches!(message, RegistryError::Denied { .. }), "{message}");
    assert_eq!(authorization(&other), [None]);
}

fn asks_for_a_token(realm: &str) -> Reply {
    let header = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"s\"\r\n");
    Reply::Say("401 Unauthorized", header, Vec::new())
}

#[tokio::test]
async fn a_token_is_fetched_where_the_registry_says() {
    let service = Fake::new(|_, _| ok("{\"token\":\"t0k3n\"}")).await;
    let realm = format!("http://{}/token", service.address);
    let fake = Fake::new(move |path, before| match before {
        0 => asks_for_a_token(&realm),
        _ => good(path),
    })
    .await;
    pull(&config_of(&fake), &fake.reference(":1"), 8)
        .await
        .unwrap();
    let bearer = Some("Bearer t0k3n".to_owned());
    assert_eq!(authorization(&fake), [None, bearer.clone(), bearer]);
    let scope = "/token?service=s&scope=repository%3Apolicies%2Flru%3Apull";
    assert_eq!(service.asked(), [scope]);
    let basic = Some("Basic YW5uOmh1bnRlcjI=".to_owned());
    assert_eq!(authorization(&service), [basic]);
}

#[tokio::test]
async fn a_token_is_not_fetched_from_anywhere() {
    for (realm, why) in [
        ("token", "its token service has no URL"),
        ("http://auth.example/token", "it is not encrypted"),
        ("ftp://auth.example/token", "it is not HTTP"),
    ] {
        let fake = Fake::new(move |_, _| asks_for_a_token(realm)).await;
        let refused = pull(&config_of(&fake), &fake.reference(":1"), 8)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

/// What a token service was asked for, by the challenge of a registry, and with or without credentials.
async fn scopes(challenge: &str, config: impl Fn(&Fake) -> Config) -> Vec<String> {
    let service = Fake::new(|_, _| ok("{\"token\":\"t0k3n\"}")).await;
    let challenge = challenge.replace("REALM", &format!("http://{}/token", service.address));
    let fake = Fake::hearing(move |asked| match asked.says() {
        Some("Bearer t0k3n") => good(asked.path),
        _ => challenged(&challenge.split('\n').collect::<Vec<_>>()),
    })
    .await;
    pull(&config(&fake), &fake.reference(":1"), 8)
        .await
        .unwrap();
    service.asked()
}

/// P10: the registry knows what a token has to be good for.
#[tokio::test]
async fn p10_the_scope_of_the_challenge_is_asked_for() {
    for (scope, asked) in [
        (
            "repository:other/prefix/my-c:pull",
            "scope=repository%3Aother%2Fprefix%2Fmy-c%3Apull",
        ),
        ("aws", "scope=aws"),
        (
            "repository:a:pull registry:b:*",
            "scope=repository%3Aa%3Apull&scope=registry%3Ab%3A*",
        ),
        ("", "scope=repository%3Apolicies%2Flru%3Apull"),
    ] {
        let challenge = format!("Bearer realm=\"REALM\",scope=\"{scope}\"");
        let found = scopes(&challenge, config_of).await;
        assert_eq!(found, [format!("/token?{asked}")]);
    }
}

/// P11: several challenges, and no credentials for the first of them.
#[tokio::test]
async fn p11_the_challenge_that_can_be_answered_is() {
    for challenge in [
        "Basic realm=\"x\", Bearer realm=\"REALM\",service=\"s\"",
        "Basic realm=\"x\"\nBearer realm=\"REALM\",service=\"s\"",
        "Negotiate, Basic realm=\"x, y\", Bearer realm=\"REALM\",service=\"s\"",
    ] {
        let found = scopes(challenge, |_| config()).await;
        assert_eq!(
            found,
            ["/token?service=s&scope=repository%3Apolicies%2Flru%3Apull"]
        );
    }
}

/// Of a token service that answers so.
async fn with_token(body: &'static str) -> Result<Fetched, String> {
    let service = Fake::new(move |_, _| ok(body)).await;
    let realm = format!("http://{}/token", service.address);
    let fake = Fake::hearing(move |asked| match asked.says() {
        Some("Bearer t0k3n") => good(asked.path),
        _ => asks_for_a_token(&realm),
    })
    .await;
    let pulled = pull(&config_of(&fake), &fake.reference(":1"), 8).await;
    pulled.map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_empty_token_is_not_sent() {
    for body in [
        "{\"token\":\"\",\"access_token\":\"t0k3n\"}",
        "{\"token\":null,\"access_token\":\"t0k3n\"}",
        "{\"access_token\":\"t0k3n\"}",
    ] {
        with_token(body).await.unwrap();
    }
    for (body, why) in [
        ("{\"token\":\"\"}", "gives an empty token"),
        ("{}", "gives no token"),
        ("<html>", "gives no token"),
    ] {
        let message = with_token(body).await.unwrap_err();
        assert!(message.contains(why), "{message}");
    }
}

/// A token that is refused is not fetched again and again.
#[tokio::test]
async fn a_token_that_does_not_help_is_fetched_once() {
    let service = Fake::new(|_, _| ok("{\"token\":\"t0k3n\"}")).await;
    let realm = format!("http://{}/token", service.address);
    let fake = Fake::new(move |_, _| asks_for_a_token(&realm)).await;
    let refused = pull(&config_of(&fake), &fake.reference(":1"), 8).await;
    assert!(matches!(refused, Err(RegistryError::Denied { .. })));
    assert_eq!((fake.asked().len(), service.asked().len()), (2, 1));
}
