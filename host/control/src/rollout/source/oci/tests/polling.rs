//! Following a reference: what is new is handed over, trouble is told.

use super::*;

/// Counts what it is handed.
#[derive(Default)]
struct OperatorPlace(Mutex<Vec<(PolicyOrigin, Sighting)>>);

impl Receive for OperatorPlace {
    fn receive(&self, fetched: Fetched, sighting: Sighting) -> BoxFuture<'_, Received> {
        self.0.lock().push((fetched.origin, sighting));
        async { Received::Taken }.boxed()
    }
}

#[tokio::test]
async fn a_poller_hands_over_what_is_new_and_asks_no_more_than_it_must() {
    let fake = Fake::new(|path, _| good(path)).await;
    let place = Arc::new(OperatorPlace::default());
    let poller = Poller::new(&config_of(&fake), 8, place.clone()).unwrap();
    for _ in 0..3 {
        poller.look().await;
    }
    assert_eq!(fake.asked().len(), 4, "one layer, three manifests");
    assert_eq!(place.0.lock().len(), 1);
    assert_eq!(poller.received(), Some(Received::Taken));

    let pinned = Config {
        reference: Some(fake.reference(&format!(":1@sha256:{}", digest(&manifest())))),
        ..config()
    };
    let poller = Poller::new(&pinned, 8, place.clone()).unwrap();
    for _ in 0..3 {
        poller.look().await;
    }
    assert_eq!(fake.asked().len(), 6, "a pin is asked for once");
}

#[tokio::test]
async fn a_poller_tells_trouble_and_goes_on() {
    let fake = Fake::new(|path, before| match before {
        // The manifest, the door, and the manifest once more with our credentials.
        0..3 => status("404 Not Found"),
        _ => good(path),
    })
    .await;
    let place = Arc::new(OperatorPlace::default());
    let poller = Poller::new(&config_of(&fake), 8, place.clone()).unwrap();
    poller.look().await;
    assert!(poller.trouble().unwrap().contains("has no manifest"));
    poller.look().await;
    assert_eq!((poller.trouble(), place.0.lock().len()), (None, 1));
    // What cannot be used is refused once, without a desk.
    let small = Poller::new(&config_of(&fake), 7, place.clone()).unwrap();
    small.look().await;
    small.look().await;
    assert!(matches!(small.received(), Some(Received::Refused(_))));
    assert_eq!((small.trouble(), place.0.lock().len()), (None, 1));
}

/// P05: an hour without news is one question for the digest a look.
#[tokio::test]
async fn p05_a_look_without_news_asks_for_the_digest_only() {
    let fake = Fake::new(|path, _| good(path)).await;
    let place = Arc::new(OperatorPlace::default());
    let poller = Poller::new(&config_of(&fake), 8, place.clone()).unwrap();
    for _ in 0..4 {
        poller.look().await;
    }
    let manifest = "/v2/policies/lru/manifests/1";
    let mut expected = vec![
        format!("GET {manifest}"),
        format!("GET /v2/policies/lru/blobs/sha256:{}", digest(MODULE)),
    ];
    expected.extend(vec![format!("HEAD {manifest}"); 3]);
    assert_eq!(fake.requests(), expected);
    assert_eq!(place.0.lock().len(), 1);
}

/// P05: a registry that says the digest as a tag, one that says none, and one that knows no `HEAD`.
#[tokio::test]
async fn p05_registries_that_say_less_are_asked_for_the_manifest() {
    let tagged = |path: &str| match good(path) {
        Reply::Say(status, _, body) => {
            let tag = format!("ETag: \"sha256:{}\"\r\n", digest(&body));
            Reply::Say(status, tag, body)
        }
        other => other,
    };
    let mute = |path: &str| match good(path) {
        Reply::Say(status, _, body) => Reply::Say(status, String::new(), body),
        other => other,
    };
    let fakes = [
        (Fake::new(move |path, _| tagged(path)).await, "HEAD"),
        (Fake::new(move |path, _| mute(path)).await, "HEAD GET"),
        (
            Fake::hearing(|asked| match asked.method {
                "HEAD" => status("405 Method Not Allowed"),
                _ => good(asked.path),
            })
            .await,
            "HEAD GET",
        ),
    ];
    for (fake, methods) in fakes {
        let place = Arc::new(OperatorPlace::default());
        let poller = Poller::new(&config_of(&fake), 8, place.clone()).unwrap();
        poller.look().await;
        poller.look().await;
        let asked = fake.requests();
        let second: Vec<&str> = asked
            .iter()
            .skip(2)
            .map(|asked| asked.split(' ').next().unwrap())
            .collect();
        assert_eq!(second.join(" "), methods);
        assert_eq!((poller.trouble(), place.0.lock().len()), (None, 1));
    }
}

/// P05: the answer to a challenge is kept from look to look, so that a look stays one request.
#[tokio::test]
async fn p05_a_look_is_one_request_where_credentials_are_asked_for_too() {
    let fake = Fake::hearing(|asked| match asked.says() {
        Some(_) => good(asked.path),
        None => challenged(&["Basic realm=\"x\""]),
    })
    .await;
    let poller = Poller::new(&config_of(&fake), 8, Arc::new(OperatorPlace::default())).unwrap();
    for _ in 0..3 {
        poller.look().await;
    }
    assert_eq!(fake.asked().len(), 5, "{:?}", fake.requests());
}

/// P05: looks of many servers spread.
#[test]
fn p05_an_interval_is_a_fifth_longer_or_shorter_by_chance() {
    let minute = Duration::from_secs(60);
    let mut pauses: Vec<Duration> = (0..1_000)
        .map(|random| super::super::poll::pause(minute, None, random))
        .collect();
    pauses.sort_unstable();
    pauses.dedup();
    assert_eq!(pauses.first(), Some(&Duration::from_secs(48)));
    assert_eq!(pauses.last(), Some(&Duration::from_secs(72)));
    assert!(pauses.len() > 20);
}

/// P06: what a start has pulled is known to the looks after it.
#[tokio::test]
async fn p06_what_a_start_has_pulled_is_not_pulled_again() {
    let fake = Fake::new(|path, _| good(path)).await;
    let config = config_of(&fake);
    let pulled = pull(&config, &fake.reference(":1"), 8).await;
    let place = Arc::new(OperatorPlace::default());
    let poller = Poller::after(Begun::by(&pulled), &config, 8, place.clone()).unwrap();
    for _ in 0..3 {
        poller.look().await;
    }
    let asked = fake.asked();
    assert_eq!(
        asked.iter().filter(|path| path.contains("/blobs/")).count(),
        1
    );
    assert_eq!((asked.len(), place.0.lock().len()), (5, 0));
    let gets = fake.requests();
    assert_eq!(
        gets.iter()
            .filter(|asked| asked.starts_with("GET "))
            .count(),
        2
    );
}
