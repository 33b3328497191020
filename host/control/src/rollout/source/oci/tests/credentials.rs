//! Who we are, told to registries that ask for it, and tokens.

use super::*;

/// What each request said of who we are.
fn authorization(fake: &Fake) -> Vec<Option<String>> {
    let said = |head: &String| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        let (_, said) = headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
        Some(said.to_owned())
    };
    fake.asked.lock().iter().map(said).collect()
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
    let said = pull(&config, &other.reference(":1"), 8).await.unwrap_err();
    assert!(matches!(said, RegistryError::Denied { .. }), "{said}");
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
