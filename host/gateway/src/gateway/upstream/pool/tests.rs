//! The order in which backends are tried, and what comes of those that fail.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::gateway::upstream::Load;
use wastegate_core::types::{DeviceId, ManagerKey, UserId};

/// The time that one client may take.
const TIMEOUT: Duration = Duration::from_secs(1);

fn pool(balance: Balance, names: &[&str]) -> Arc<Upstreams> {
    of(balance, names, &Members::new(64))
}

fn of(balance: Balance, names: &[&str], members: &Members) -> Arc<Upstreams> {
    let upstreams = names
        .iter()
        .map(|name| format!("ws://{name}").parse().unwrap());
    let upstreams: Vec<Upstream> = upstreams.collect();
    let config = Config {
        upstream_balance: balance,
        ..Config::default()
    };
    Upstreams::of(&config, &upstreams, members, Timestamp::ZERO).unwrap()
}

fn identity(key: &str) -> Identity {
    let (user, key) = (UserId::new("ann").unwrap(), ManagerKey::new(key).unwrap());
    Identity::new(user, key, DeviceId::new("d").unwrap())
}

/// Where a client is sent first.
fn first(pool: &Upstreams, key: &str, clock: &Clock) -> String {
    let mut tries = pool.tries(Purpose::Upgrade, Some(&identity(key)), None, clock);
    tries.next().unwrap().upstream().to_string()
}

fn answered(status: StatusCode) -> UpstreamError {
    let mut response = axum::http::Response::new(axum::body::Body::empty());
    *response.status_mut() = status;
    UpstreamError::Refused(Box::new(crate::gateway::upstream::BackendRefusal::new(
        response,
    )))
}

fn refused() -> UpstreamError {
    UpstreamError::Connect(ErrorKind::ConnectionRefused.into())
}

/// What backends do, by their name.
async fn behave(upstream: Upstream, within: Duration) -> Result<String, UpstreamError> {
    let name = upstream.host().to_owned();
    let answers = async {
        match &*name {
            "down" => Err(refused()),
            "sick" => Err(answered(StatusCode::SERVICE_UNAVAILABLE)),
            "strict" => Err(answered(StatusCode::UNAUTHORIZED)),
            "short" => {
                let error = std::io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
                Err(UpstreamError::Connect(error))
            }
            "stuck" => std::future::pending().await,
            "slow" => {
                tokio::time::sleep(TIMEOUT * 4 / 5).await;
                Ok(name)
            }
            _ => Ok(name),
        }
    };
    let answer = tokio::time::timeout(within, answers).await;
    answer.unwrap_or(Err(UpstreamError::Timeout(within)))
}

/// One client, and how long it took.
async fn client(
    pool: &Upstreams,
    clock: &Clock,
) -> (Result<(String, Option<Load>), UpstreamError>, Duration) {
    let start = clock.now();
    let mut tries = pool.tries(Purpose::Upgrade, None, None, clock);
    let raced = pool.race(&mut tries, behave, TIMEOUT, clock).await;
    let raced = raced.map(|(name, attempt)| (name, attempt.succeeded()));
    (raced, clock.now().since(start))
}

fn state(pool: &Upstreams, number: usize, clock: &Clock) -> &'static str {
    pool.view(clock.now())[number].state
}

#[test]
fn the_one_with_the_fewest_comes_first_and_who_is_away_last() {
    let (pool, clock) = (
        pool(Balance::LeastConnections, &["a", "b", "c"]),
        Clock::manual(),
    );
    let load = |number: usize| Load::new(pool.members[number].clone());
    let _loads = [load(0), load(0), load(1)];
    assert_eq!(first(&pool, "k", &clock), "ws://c");
    pool.members[2].failed(&refused(), clock.now());
    assert_eq!(first(&pool, "k", &clock), "ws://b");
    assert_eq!(pool.availability(clock.now()), Availability::Available);
    // When its time is over it has one client, and no more until that is done.
    clock.advance(Duration::from_secs(2));
    let mut tries = pool.tries(Purpose::Upgrade, None, None, &clock);
    let trial = tries.next().unwrap();
    assert_eq!(trial.upstream().to_string(), "ws://c");
    assert_eq!(first(&pool, "k", &clock), "ws://b");
    let _load = trial.succeeded();
    assert_eq!(first(&pool, "k", &clock), "ws://b");
    drop(_load);
    assert_eq!(first(&pool, "k", &clock), "ws://c");
}

/// A backend that leaves moves its own managers and nobody else's.
#[test]
fn a_manager_stays_where_it_is_as_long_as_that_is_there() {
    let clock = Clock::manual();
    let (all, fewer) = (
        pool(Balance::ByKey, &["a", "b", "c"]),
        pool(Balance::ByKey, &["a", "c"]),
    );
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..300 {
        let key = format!("k{number}");
        let home = first(&all, &key, &clock);
        assert_eq!(home, first(&all, &key, &clock));
        let moved = first(&fewer, &key, &clock);
        assert!(
            moved == home || home == "ws://b",
            "{key}: {home} to {moved}"
        );
        *seen.entry(home).or_insert(0) += 1;
    }
    assert!(
        seen.len() == 3 && seen.values().all(|count| *count > 50),
        "{seen:?}"
    );
}

/// W45: connections are counted for as long as they last, whatever the settings say meanwhile.
#[test]
fn w45_a_backend_that_comes_back_has_the_connections_that_it_had() {
    let (members, clock) = (Members::new(64), Clock::manual());
    let before = of(Balance::LeastConnections, &["a"], &members);
    let loads: Vec<_> = (0..10)
        .map(|_| Load::new(before.members[0].clone()))
        .collect();
    drop(before);
    drop(of(Balance::LeastConnections, &["b"], &members));
    let after = of(Balance::LeastConnections, &["a", "b"], &members);
    assert_eq!(after.view(clock.now())[0].connections, 10);
    assert_eq!(first(&after, "k", &clock), "ws://b");
    drop(loads);
    assert_eq!(after.view(clock.now())[0].connections, 0);
}

/// W40 to W44 in short: whatever is wrong with the first ones, the client is in.
#[tokio::test(start_paused = true)]
async fn the_next_one_is_asked_whatever_is_wrong_with_the_first() {
    for ill in [
        &["down"][..],
        &["sick"],
        &["stuck"],
        &["short"],
        &["down", "sick", "stuck"],
    ] {
        let clock = Clock::system();
        let pool = pool(Balance::LeastConnections, &[ill, &["good"]].concat());
        for _ in 0..12 {
            let (client, took) = client(&pool, &clock).await;
            assert_eq!(client.unwrap().0, "good", "{ill:?}");
            assert!(took <= TIMEOUT * 3 / 4, "{ill:?}: {took:?}");
        }
        let expected = if ill == ["short"] { "unknown" } else { "away" };
        assert_eq!(state(&pool, 0, &clock), expected, "{ill:?}");
    }
}

/// Backends that all take long are asked beside each other, so the first of them still has its time.
#[tokio::test(start_paused = true)]
async fn backends_that_are_all_slow_let_their_clients_in() {
    let clock = Clock::system();
    let pool = pool(Balance::LeastConnections, &["slow", "slow/b", "slow/c"]);
    let (client, took) = client(&pool, &clock).await;
    assert!(client.is_ok() && took < TIMEOUT, "{took:?}");
    assert_eq!(state(&pool, 0, &clock), "up");
}

/// Without a permit for a hedged attempt, one backend is given up before the next one is asked: never two
/// descriptors for one client, and a client that is let in all the same.
#[tokio::test(start_paused = true)]
async fn beyond_the_bound_of_hedged_attempts_one_backend_is_asked_at_a_time() {
    let clock = Clock::system();
    let names = ["good", "stuck", "stuck/b", "stuck/c"];
    for (hedges, most) in [(0, 1), (1, 2), (8, 4)] {
        let pool = of(Balance::LeastConnections, &names, &Members::new(hedges));
        for number in 1..4 {
            // The one that answers comes last.
            pool.members[0].strained(clock.now());
            pool.members[number].failed(&refused(), clock.now());
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        let (now, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let behave = async |upstream: Upstream, within: Duration| {
            let count = now.fetch_add(1, Ordering::Relaxed) + 1;
            peak.fetch_max(count, Ordering::Relaxed);
            let _asked = Less(&now);
            behave(upstream, within).await
        };
        let mut tries = pool.tries(Purpose::Upgrade, None, None, &clock);
        let raced = pool.race(&mut tries, behave, TIMEOUT, &clock).await;
        assert_eq!(raced.map(|(name, _)| name).unwrap(), "good");
        assert_eq!(peak.load(Ordering::Relaxed), most, "{hedges}");
        assert_eq!(pool.hedges.available_permits(), hedges);
    }
}

/// Counts one less when it is dropped.
struct Less<'a>(&'a AtomicUsize);

impl Drop for Less<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_the_client_is_no_failure_and_ends_the_search() {
    let clock = Clock::system();
    let pool = pool(Balance::LeastConnections, &["strict", "good"]);
    let (client, _) = client(&pool, &clock).await;
    let unauthorized = StatusCode::UNAUTHORIZED;
    assert!(
        matches!(client, Err(UpstreamError::Refused(refusal)) if refusal.status() == unauthorized)
    );
    assert_eq!(pool.view(clock.now())[0].failures, 0);
}

#[tokio::test(start_paused = true)]
async fn if_all_are_away_all_are_tried_and_the_most_telling_failure_is_told() {
    let clock = Clock::system();
    let pool = pool(Balance::LeastConnections, &["sick", "down"]);
    for _ in 0..3 {
        let (client, _) = client(&pool, &clock).await;
        assert!(matches!(client, Err(UpstreamError::Refused(_))));
    }
    assert_eq!(pool.view(clock.now())[1].failures, 3);
    let away = pool.availability(clock.now());
    assert!(matches!(away, Availability::Away { .. }), "{away:?}");
    assert!(!pool.is_there(clock.now()));
}

#[tokio::test(start_paused = true)]
async fn a_trial_whose_client_leaves_goes_to_the_next() {
    let clock = Clock::system();
    let pool = pool(Balance::LeastConnections, &["stuck"]);
    let _ = client(&pool, &clock).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut tries = pool.tries(Purpose::Upgrade, None, None, &clock);
    let mut racing = Box::pin(pool.race(&mut tries, behave, TIMEOUT, &clock));
    assert!(futures_util::poll!(&mut racing).is_pending());
    assert_eq!(pool.availability(clock.now()), Availability::Trying);
    drop(racing);
    assert_eq!(pool.availability(clock.now()), Availability::Available);
}

/// What is no upgrade goes where the client's address went before, and with that balance an upgrade does.
#[test]
fn an_address_sticks_to_its_backend() {
    let clock = Clock::system();
    let pool = pool(Balance::ByAddress, &["a", "b", "c"]);
    let of = |purpose, client: u8| {
        let client = Some([192, 0, 2, client].into());
        let mut tries = pool.tries(purpose, None, client, &clock);
        tries.next().unwrap().upstream().to_string()
    };
    let mut seen = std::collections::BTreeSet::new();
    for client in 0..50 {
        let home = of(Purpose::Plain, client);
        assert_eq!(home, of(Purpose::Upgrade, client));
        seen.insert(home);
    }
    assert_eq!(seen.len(), 3);
}
