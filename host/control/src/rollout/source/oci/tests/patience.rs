//! Registries that ask to be left alone (RFC 9110, section 10.2.3).

use super::*;

struct Nobody;

impl Receive for Nobody {
    fn receive(&self, _: Fetched, _: Sighting) -> BoxFuture<'_, Received> {
        async { Received::Taken }.boxed()
    }
}

fn busy(status: &'static str, rest: &str) -> Reply {
    Reply::Say(status, format!("Retry-After: {rest}\r\n"), Vec::new())
}

/// P07: a rest that is longer than a pull may take ends the pull at once.
#[tokio::test]
async fn p07_a_pull_is_not_tried_again_before_the_registry_wants_it() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let fake = Fake::new(move |_, _| busy(status, "3600")).await;
        let refused = pull(&config(), &fake.reference(":1"), 8).await.unwrap_err();
        assert_eq!(refused.rest(), Some(Duration::from_secs(3_600)));
        let message = refused.to_string();
        assert!(message.contains("asks for a wait of 3600 s"), "{message}");
        assert_eq!(fake.asked().len(), 1);
    }
    // At the token service and at a blob too.
    let fake = Fake::new(|path, _| match path.contains("/manifests/") {
        true => good(path),
        false => busy("429 Too Many Requests", "3600"),
    })
    .await;
    let refused = pull(&config(), &fake.reference(":1"), 8).await.unwrap_err();
    assert!(refused.rest().is_some(), "{refused}");
    assert_eq!(fake.asked().len(), 2);
    // What is no success is not believed whatever else it says.
    let fake = Fake::new(|_, _| busy("404 Not Found", "3600")).await;
    let refused = pull(&config(), &fake.reference(":1"), 8).await.unwrap_err();
    assert_eq!(refused.rest(), None);
}

/// P07: a rest that is short is taken.
#[tokio::test]
async fn p07_a_short_rest_is_taken_and_then_it_is_tried_again() {
    let fake = Fake::new(|path, before| match before {
        0 => busy("429 Too Many Requests", "1"),
        _ => good(path),
    })
    .await;
    let clock = wastegate_core::types::Clock::system();
    let before = clock.now();
    pull(&config(), &fake.reference(":1"), 8).await.unwrap();
    let took = clock.unix_ms(clock.now()) - clock.unix_ms(before);
    assert!(took >= 1_000, "{took} ms");
    assert_eq!(fake.asked().len(), 3);
}

/// P07: looks wait as long as they are asked to, and publishing ends at once.
#[tokio::test]
async fn p07_looks_and_publishing_hear_it_too() {
    let fake = Fake::new(|_, _| busy("429 Too Many Requests", "3600")).await;
    let poller = Poller::new(&config_of(&fake), 8, Arc::new(Nobody)).unwrap();
    poller.look().await;
    assert!(poller.trouble().unwrap().contains("a wait of 3600 s"));
    assert_eq!(fake.asked().len(), 1);
    let minute = Duration::from_secs(60);
    let hour = Duration::from_secs(3_600);
    let pause = super::super::poll::pause(minute, Some(hour), 7);
    assert!(pause >= hour && pause < hour + minute, "{pause:?}");
    let short = super::super::poll::pause(minute, Some(Duration::from_secs(1)), 20);
    assert_eq!(short, minute, "no sooner than without");
    let pull = pull(&config_of(&fake), &fake.reference(":1"), 8).await;
    assert_eq!(Begun::by(&pull).rest, Some(hour), "a start hands it on");

    let fake = Fake::new(|_, _| busy("429 Too Many Requests", "3600")).await;
    let (reference, about) = (fake.reference(":1"), About::default());
    let refused = publish(&config(), &reference, MODULE, None, &about).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.rest(), Some(hour), "{refused}");
    assert_eq!(fake.asked().len(), 1);
}

/// P07: it runs, and asks no more while it is to rest.
#[tokio::test]
async fn p07_a_running_poller_rests() {
    let fake = Fake::new(|_, _| busy("429 Too Many Requests", "3600")).await;
    let config = Config {
        poll: Duration::from_millis(1),
        ..config_of(&fake)
    };
    let poller = Poller::new(&config, 8, Arc::new(Nobody)).unwrap();
    poller.wake();
    let run = tokio::time::timeout(Duration::from_millis(300), poller.run());
    assert!(run.await.is_err());
    assert_eq!(fake.asked().len(), 1);
}
