//! Following a reference: what is new is handed over, trouble is told.

use super::*;

/// Counts what it is handed.
#[derive(Default)]
struct Desk(Mutex<Vec<(PolicyOrigin, Sighting)>>);

impl Receive for Desk {
    fn receive(&self, fetched: Fetched, sighting: Sighting) -> BoxFuture<'_, Received> {
        self.0.lock().push((fetched.origin, sighting));
        async { Received::Taken }.boxed()
    }
}

#[tokio::test]
async fn a_poller_hands_over_what_is_new_and_asks_no_more_than_it_must() {
    let fake = Fake::new(|path, _| good(path)).await;
    let desk = Arc::new(Desk::default());
    let poller = Poller::new(&config_of(&fake), 8, desk.clone()).unwrap();
    for _ in 0..3 {
        poller.look().await;
    }
    assert_eq!(fake.asked().len(), 4, "one layer, three manifests");
    assert_eq!(desk.0.lock().len(), 1);
    assert_eq!(poller.received(), Some(Received::Taken));

    let pinned = Config {
        reference: Some(fake.reference(&format!(":1@sha256:{}", digest(&manifest())))),
        ..config()
    };
    let poller = Poller::new(&pinned, 8, desk.clone()).unwrap();
    for _ in 0..3 {
        poller.look().await;
    }
    assert_eq!(fake.asked().len(), 6, "a pin is asked for once");
}

#[tokio::test]
async fn a_poller_tells_trouble_and_goes_on() {
    let fake = Fake::new(|path, before| match before {
        0 => Reply::Say("404 Not Found", String::new(), Vec::new()),
        _ => good(path),
    })
    .await;
    let desk = Arc::new(Desk::default());
    let poller = Poller::new(&config_of(&fake), 8, desk.clone()).unwrap();
    poller.look().await;
    assert!(poller.trouble().unwrap().contains("has no manifest"));
    poller.look().await;
    assert_eq!((poller.trouble(), desk.0.lock().len()), (None, 1));
    // What cannot be used is refused once, without a desk.
    let small = Poller::new(&config_of(&fake), 7, desk.clone()).unwrap();
    small.look().await;
    small.look().await;
    assert!(matches!(small.received(), Some(Received::Refused(_))));
    assert_eq!((small.trouble(), desk.0.lock().len()), (None, 1));
}
