//! What SIGHUP takes over, key by key: every key of the table is changed, one at a time.

use super::super::draft::Draft;
use super::super::key::{Effect, Key};
use super::super::keys::{Section, Table};
use super::super::load::checked;
use super::super::raw::{Entry, Raw};
use super::*;

/// What a server is started with: TLS, a route and a parameter, so that there is one of each key.
const FILE: &str = "\
[gateway.tls]
certificate = \"a.pem\"
key = \"b.pem\"
[policy.params]
name = 1.0
[[gateway.route]]
path = \"/chat\"
upstream = [\"ws://backend.example/chat\"]
[webhook]
secret = '24 bytes are long enough.'
[cluster]
engine = \"redis://engine.example\"
kind = \"sentinel\"
service = \"main\"
secret = '16 bytes are long enough.'
";

/// The key that has one value only: more than that `force` may not take.
const FIXED: &str = "cleanup.tiers.force.take";

/// Another value of one key.
pub(crate) struct Change {
    /// The key's path.
    pub(crate) key: String,
    /// Whether the table says that SIGHUP takes it over.
    pub(crate) is_live: bool,
    /// The settings with that value.
    pub(crate) changed: LoadedConfig,
}

/// The settings of a server, and a change of every key of the table, those of a route included.
pub(crate) fn changes() -> (LoadedConfig, Vec<Change>) {
    let started = loaded(FILE, &[], &[]).unwrap();
    let table = Table::new();
    let (route, params) = (
        table.route(0),
        table.sections().filter_map(Section::example),
    );
    let params: Vec<Key> = params.collect();
    let keys = table.keys().chain(route.keys()).chain(&params);
    let changes = keys.filter(|key| key.path() != FIXED).map(|key| Change {
        key: key.path().to_owned(),
        is_live: key.effect() == Effect::Live,
        changed: changed(&table, key, &started),
    });
    let changes = changes.collect();
    (started, changes)
}

/// The settings with the first sample of a key that is another value and goes with all others.
fn changed(table: &Table, key: &Key, started: &LoadedConfig) -> LoadedConfig {
    let attempt = |seed| {
        let (mut draft, mut origins) = (started.draft.clone(), started.origins.clone());
        let origin = SettingOrigin::Flag {
            text: "--set".to_owned(),
        };
        origins.insert(key.path().to_owned(), origin.clone());
        let entry = Entry {
            path: key.path().to_owned(),
            raw: Raw::Untyped(as_text(&key.sample(seed))),
            origin,
        };
        key.set(&mut draft, &entry).ok()?;
        let is_other = key.differs(&mut draft, &mut started.draft.clone());
        let checked = checked(table, draft, origins, Vec::new()).ok();
        checked.filter(|_| is_other)
    };
    // Small steps for keys that must stay below another, large ones to cross ranges.
    let steps = [1, 7_919, 1_000_003];
    let mut seeds = steps
        .into_iter()
        .flat_map(|step| (1..2_000_u64).map(move |at| at * step));
    let found = seeds.find_map(attempt);
    found.unwrap_or_else(|| panic!("`{}` has no other value", key.path()))
}

/// Whether two configurations have the same value of a key.
fn is_same(key: &str, one: &Draft, other: &Draft) -> bool {
    let (mut one, mut other) = (one.clone(), other.clone());
    let differs = Table::new().with(key, |key| key.differs(&mut one, &mut other));
    !differs.unwrap()
}

#[test]
fn live_keys_are_taken_over_and_all_others_are_named_and_kept() {
    let (started, changes) = changes();
    assert!(changes.len() > 290, "every key: {}", changes.len());
    for Change {
        key,
        is_live,
        changed,
    } in changes
    {
        let Reread { taken, waiting } = changed.on(&started).unwrap();
        if is_live {
            assert_eq!(waiting, [] as [&str; 0], "{key} is live");
            assert!(is_same(&key, &taken.draft, &changed.draft), "{key}");
        } else {
            assert_eq!(waiting, [key.as_str()], "{key} needs a restart");
            assert!(is_same(&key, &taken.draft, &started.draft), "{key}");
            assert_same(&taken.config, &started.config);
        }
    }
}

/// It is compared with what runs, not with what was read before.
#[test]
fn a_key_that_needs_a_restart_is_named_until_it_is_put_back() {
    let started = loaded("", &[], &[]).unwrap();
    let other = loaded(
        "",
        &[],
        &["limits.managers_per_user=7", "gateway.headers_max=70"],
    )
    .unwrap();
    for _ in 0..2 {
        let reread = other.on(&started).unwrap();
        assert_eq!(reread.waiting, ["limits.managers_per_user"]);
        assert_eq!(reread.taken.config.gateway.headers_max, 70);
        assert_eq!(reread.taken.config.limits.managers_per_user, 20);
    }
    assert!(started.on(&started).unwrap().waiting.is_empty());
}

/// A list of tables is taken over as a whole, which only keys that are all live allow.
#[test]
fn routes_come_and_go_as_a_whole() {
    let route = Table::new().route(0);
    assert!(route.keys().iter().all(|key| key.effect() == Effect::Live));
    let with = loaded(FILE, &[], &[]).unwrap();
    let without = loaded(FILE.split("[[").next().unwrap(), &[], &[]).unwrap();
    let routes = |reread: Reread| reread.taken.config.gateway.routes;
    assert_eq!(routes(with.on(&without).unwrap()).len(), 1);
    assert_eq!(routes(without.on(&with).unwrap()).len(), 0);
}

/// A live value that does not go with a value that stays is refused, and both are named.
#[test]
fn what_does_not_go_with_what_stays_is_refused() {
    let started = loaded("server.listen = \"127.0.0.1:8000\"", &[], &[]).unwrap();
    let moved = "server.listen = \"127.0.0.1:8001\"\ngateway.upstream = \"ws://127.0.0.1:8000\"";
    let moved = loaded(moved, &[], &[]).unwrap();
    let message = moved.on(&started).unwrap_err().to_string();
    assert!(
        message.contains("`server.listen` is \"127.0.0.1:8000\""),
        "{message}"
    );
    assert!(message.contains("`gateway.upstream`"), "{message}");
}
