//! Sources that are away, and what is broken in them.

use super::*;
use wastegate_control::rollout::config::WithoutPolicy;
use wastegate_control::rollout::service::{InItsPlace, Patch};

fn ann() -> Actor {
    Actor::operator(Some("ann"), None)
}

fn name(text: &str) -> PolicyName {
    PolicyName::new(text).unwrap()
}

async fn refused(config: &ProgramConfig) -> String {
    chain(&build(config).await.err().unwrap())
}

/// P03: a policy of one's own goes on from the state, not the shipped one of the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p03_the_shipped_one_of_the_same_name_does_not_take_over() {
    let (world, own) = (World::new(), variant("lru", 9));
    let config = world.named("lru");
    world.put("lru", &own);
    start(&config).await.stop().await;
    world.take_away("lru");
    for _ in 0..2 {
        let server = start(&config).await;
        assert!(server.ranks_by(&own));
        let awaits = server.policies.rollout.awaits().unwrap();
        assert_eq!(awaits.in_its_place, InItsPlace::Before);
        let report = server.fell_back();
        let is_told = report.contains("lru.wasm is away") && report.contains("goes on");
        assert!(is_told, "{report}");
        server.stop().await;
    }
    // The directory itself is away.
    std::fs::remove_dir_all(world.place.path()).unwrap();
    let server = start(&config).await;
    assert!(server.ranks_by(&own));
    server.stop().await;
    // It is back. Without a directory the shipped one is what is meant.
    std::fs::create_dir(world.place.path()).unwrap();
    world.put("lru", &own);
    let server = start(&config).await;
    assert!(server.ranks_by(&own) && server.policies.rollout.awaits().is_none());
    server.stop().await;
    let mut alone = config.clone();
    alone.sources.directory.path = None;
    let server = start(&alone).await;
    let mut table = shipped::table().iter();
    let (_, lru) = table.find(|(name, _)| *name == "lru").unwrap();
    assert!(server.ranks_by(lru));
    server.stop().await;
}

/// P04: a file of a name that is not shipped is reported as away, not as a slip.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p04_a_name_of_ones_own_whose_file_vanished_is_away() {
    let (world, own) = (World::new(), variant("lru", 1));
    let mut config = world.named("mine");
    let server = start(&config).await;
    let why = server.policies.rollout.awaits().unwrap().why;
    assert_eq!(server.at(Tier::Force), None);
    server.stop().await;
    config.rollout.start = WithoutPolicy::Fail;
    for message in [why, refused(&config).await] {
        let is_told = message.contains("mine.wasm is away") && !message.contains("did you mean");
        assert!(is_told, "{message}");
    }
    // With an active policy that goes on, whatever a start without one does.
    world.put("lru", &own);
    start(&world.named("lru")).await.stop().await;
    let server = start(&config).await;
    assert!(server.ranks_by(&own));
    assert!(server.fell_back().contains("mine.wasm is away"));
    server.stop().await;
}

/// P12: a broken file at the first start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_a_broken_file_is_stood_in_for_until_it_is_mended() {
    let (world, good) = (World::new(), variant("lru", 1));
    let config = world.named("lru");
    world.put("lru", b"no wasm");
    let server = start(&config).await;
    assert_eq!(server.at(Tier::Force), None, "the built-in ranking");
    let awaits = server.policies.rollout.status().awaits.unwrap();
    assert_eq!(awaits.in_its_place, InItsPlace::BuiltIn);
    assert!(awaits.why.contains("not WebAssembly"), "{awaits:?}");
    let report = server.fell_back();
    assert!(
        report.contains("built-in ranking is active until"),
        "{report}"
    );
    server.has_looked(&world, 1).await;
    assert_eq!(server.at(Tier::Force), None);
    world.put("lru", &good);
    server.comes_to(&good).await;
    assert_eq!(server.policies.rollout.awaits(), None);
    server.stop().await;
    // It is the choice from now on.
    let server = start(&config).await;
    assert!(server.ranks_by(&good));
    assert_eq!(server.fell_back(), report);
    server.stop().await;
}

/// P12: what operators do while the policy is awaited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_what_operators_did_meanwhile_stands() {
    let (world, good) = (World::new(), variant("lru", 1));
    world.put("lru", b"no wasm");
    let server = start(&world.named("lru")).await;
    let rollout = &server.policies.rollout;
    let at = |tier| Activation {
        tier: Some(tier),
        ..Activation::default()
    };
    let activated = rollout.activate(name("fifo"), None, at(Tier::Force), ann());
    activated.await.unwrap();
    rollout.disable(at(Tier::Proactive), ann()).await.unwrap();
    let before = server.at(Tier::Force);
    assert!(before.is_some());
    world.put("lru", &good);
    until("the awaited policy", || rollout.awaits().is_none()).await;
    assert_eq!(server.at(Tier::Moderate).as_deref(), Some(&*digest(&good)));
    assert_eq!(server.at(Tier::Force), before);
    assert_eq!(server.at(Tier::Proactive), None);
    server.stop().await;
}

/// P12: `policy.start = "fail"` is as it was, and mistakes always are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_mistakes_of_the_configuration_stay_fatal() {
    let world = World::new();
    let mut strict = world.named("lru");
    strict.rollout.start = WithoutPolicy::Fail;
    world.put("lru", b"no wasm");
    assert!(refused(&strict).await.contains("not WebAssembly"));
    world.put("lru", &variant("lru", 1));

    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(world.place.path(), open_to_all).unwrap();
    let message = refused(&world.named("lru")).await;
    assert!(
        message.contains("every user of this machine may write"),
        "{message}"
    );
    let ours = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(world.place.path(), ours).unwrap();

    let mut unknown = world.named("fifoo");
    unknown.sources.directory.path = None;
    assert!(refused(&unknown).await.contains("did you mean `fifo`?"));
    let mut file = world.named("lru");
    file.ranking.source = PolicySource::File(world.path("none"));
    assert!(refused(&file).await.contains("cannot read the policy"));
    let mut set = world.named("lru");
    set.ranking.params.insert("no-such".to_owned(), 1.0);
    assert!(refused(&set).await.contains("no-such"));
}

/// P24: a shipped policy that was never active has nothing to set, and that is what is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p24_setting_what_was_never_active_says_so() {
    let world = World::new();
    let server = start(&world.named("lru")).await;
    let set = async |policy: &str| {
        let rollout = &server.policies.rollout;
        let set = rollout.set(name(policy), Patch::default(), ann()).await;
        set.unwrap_err().to_string()
    };
    let message = set("lrfu").await;
    let is_true = message.contains("was never activated here") && !message.contains("did you mean");
    assert!(is_true, "{message}");
    assert!(
        message.contains("`wastegate policy activate lrfu`"),
        "{message}"
    );
    let message = set("lrfuu").await;
    assert!(message.contains("did you mean `lrfu`?"), "{message}");
    server.stop().await;
}
