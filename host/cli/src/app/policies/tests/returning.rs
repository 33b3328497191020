//! What an operator went back from does not come back by a restart.

use super::*;

/// P01: the source holds 2, the operator went back to 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p01_a_rollback_survives_a_restart_until_the_source_says_something_else() {
    let (world, [one, two, three]) = (World::new(), [1, 2, 3].map(|number| variant("lru", number)));
    let config = world.named("lru");
    world.put("lru", &one);
    let server = start(&config).await;
    assert!(server.ranks_by(&one));
    world.put("lru", &two);
    server.comes_to(&two).await;
    server.roll_back(None).await;
    assert!(server.ranks_by(&one));
    server.stop().await;

    // As often as it is started, and whatever the looks after the start find.
    for number in 1..=2 {
        let server = start(&config).await;
        assert!(server.ranks_by(&one), "start {number}");
        server.has_looked(&world, number).await;
        assert!(server.ranks_by(&one), "look {number}");
        server.stop().await;
    }

    // Away and back is the same; another content is not, and then the old one is news again.
    world.take_away("lru");
    let server = start(&config).await;
    world.put("lru", &two);
    server.has_looked(&world, 3).await;
    assert!(server.ranks_by(&one));
    world.put("lru", &three);
    server.comes_to(&three).await;
    world.put("lru", &two);
    server.comes_to(&two).await;
    server.stop().await;
}

/// P01: content that the source gets while the server is down is new at rolled back seats, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p01_news_of_the_time_in_between_are_taken() {
    let (world, [one, two, three]) = (World::new(), [1, 2, 3].map(|number| variant("lru", number)));
    let config = world.named("lru");
    world.put("lru", &one);
    let server = start(&config).await;
    world.put("lru", &two);
    server.comes_to(&two).await;
    server.roll_back(None).await;
    server.stop().await;
    world.put("lru", &three);
    let server = start(&config).await;
    assert!(server.ranks_by(&three));
    server.stop().await;
    // And back to what was there in the first place.
    world.put("lru", &one);
    let server = start(&config).await;
    assert!(server.ranks_by(&one));
    server.stop().await;
}

/// P02: one seat that went back stays so, and the others stay as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p02_a_rollback_of_one_tier_survives_a_restart() {
    let (world, [one, two, three]) = (World::new(), [1, 2, 3].map(|number| variant("lru", number)));
    let config = world.named("lru");
    world.put("lru", &one);
    let server = start(&config).await;
    world.put("lru", &two);
    server.comes_to(&two).await;
    server.roll_back(Some(Tier::Force)).await;
    server.stop().await;
    for number in 1..=2 {
        let server = start(&config).await;
        server.has_looked(&world, number).await;
        assert_eq!(server.at(Tier::Force).as_deref(), Some(&*digest(&one)));
        assert_eq!(server.at(Tier::Proactive).as_deref(), Some(&*digest(&two)));
        server.stop().await;
    }
    world.put("lru", &three);
    let server = start(&config).await;
    assert!(server.ranks_by(&three));
    server.stop().await;
}

/// P01: a ledger of before this was remembered shows in its seats what was rolled back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p01_an_old_ledger_is_read_and_its_rollback_stands() {
    let (world, [one, two]) = (World::new(), [1, 2].map(|number| variant("lru", number)));
    let config = world.named("lru");
    world.put("lru", &one);
    let server = start(&config).await;
    world.put("lru", &two);
    server.comes_to(&two).await;
    server.roll_back(None).await;
    server.stop().await;
    let path = world.state.path().join("state/ledger.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut ledger: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(ledger.as_object_mut().unwrap().remove("reports").is_some());
    std::fs::write(&path, ledger.to_string()).unwrap();
    let server = start(&config).await;
    server.has_looked(&world, 1).await;
    assert!(server.ranks_by(&one));
    assert_eq!(server.fell_back(), "");
    server.stop().await;
}
