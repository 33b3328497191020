//! What holds over what, and what is left alone.

use super::*;

fn node(file: &str, environment: &[(&str, &str)], set: &[&str]) -> (String, String) {
    let loaded = loaded(file, environment, set).unwrap();
    (
        loaded.config.server.node.clone(),
        setting(&loaded, "server.node").origin.to_string(),
    )
}

fn is(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn nothing_gives_the_defaults() {
    let loaded = load(Sources::default()).unwrap();
    assert_same(&loaded.config, &ProgramConfig::default());
    assert!(
        loaded
            .settings
            .iter()
            .all(|setting| setting.origin == SettingOrigin::Default)
    );
}

#[test]
fn file_environment_and_flags_hold_in_that_order() {
    let file = "\n[server]\nnode = \"a\"";
    let variable = [("WASTEGATE_SERVER__NODE", "b")];
    assert_eq!(node("", &[], &[]), is("local", "default"));
    let (value, origin) = node(file, &[], &[]);
    assert_eq!(value, "a");
    assert!(origin.ends_with(".toml:3"), "{origin}");
    assert_eq!(
        node(file, &variable, &[]),
        is("b", "env WASTEGATE_SERVER__NODE")
    );
    assert_eq!(
        node(file, &variable, &["server.node=c"]),
        is("c", "flag --set server.node")
    );
    assert_eq!(node("", &[], &["server.node=c", "server.node = d"]).0, "d");
}

/// What an error shows as the remedy is a list as a file has it; a flag and a variable take it too.
#[test]
fn a_list_is_taken_as_a_file_has_it_and_with_commas() {
    let networks = |file: &str, environment: &[(&str, &str)], set: &[&str]| {
        let config = loaded(file, environment, set).unwrap().config;
        config.gateway.trusted_proxies
    };
    let list = "[\"127.0.0.1\", '10.0.0.0/8']";
    let in_file = networks(&format!("gateway.trusted_proxies = {list}"), &[], &[]);
    assert_eq!(in_file.len(), 2);
    for text in [list, "127.0.0.1, 10.0.0.0/8"] {
        let set = format!("gateway.trusted_proxies={text}");
        assert_eq!(networks("", &[], &[&set]), in_file, "{text}");
        let variable = [("WASTEGATE_GATEWAY__TRUSTED_PROXIES", text)];
        assert_eq!(networks("", &variable, &[]), in_file, "{text}");
    }
    assert_eq!(networks("", &[], &["gateway.trusted_proxies=[]"]), []);
    let half = loaded("", &[], &["gateway.trusted_proxies=[\"127.0.0.1\""]);
    assert!(half.is_err());
}

#[test]
fn shorthands_hold_over_set() {
    let sources = Sources {
        set: vec!["server.listen=127.0.0.1:1".to_owned()],
        overrides: vec![Override::shorthand("--listen", "server.listen", "[::1]:2")],
        ..Sources::default()
    };
    let loaded = load(sources).unwrap();
    assert_eq!(loaded.config.server.listen.to_string(), "[::1]:2");
    assert_eq!(
        setting(&loaded, "server.listen").origin.to_string(),
        "flag --listen"
    );
}

#[test]
fn the_flag_names_the_file_before_the_variable_does() {
    let (by_flag, by_variable) = (
        File::new("server.node = 'f'"),
        File::new("server.node = 'v'"),
    );
    let variable = by_variable.path().display().to_string();
    let environment: Environment = [("WASTEGATE_CONFIG", variable)].into_iter().collect();
    let node = |file| {
        let environment = environment.clone();
        load(Sources {
            file,
            environment,
            ..Sources::default()
        })
        .unwrap()
        .config
        .server
        .node
    };
    assert_eq!(node(Some(by_flag.path())), "f");
    assert_eq!(node(None), "v");
}

#[test]
fn variables_ignore_case_and_hyphens() {
    assert_eq!(node("", &[("wastegate_Server__node", "x")], &[]).0, "x");
    let queue = [("WASTEGATE_ADMISSION__QUEUE__WAIT-MS", "1_500")];
    let loaded = loaded("", &queue, &[]).unwrap();
    assert_eq!(loaded.config.admission.queue_wait.as_millis(), 1_500);
}

#[test]
fn lists_in_text_have_commas() {
    let table = |set| loaded("", &[], &[set]).unwrap().config.cleanup.table;
    let admits = |set| {
        table(set)
            .rule(wastegate_core::types::Tier::Moderate)
            .admits
            .clone()
    };
    use wastegate_core::decision::Class::{Dead, HalfOpen};
    assert_eq!(
        admits("cleanup.tiers.moderate.admits=dead, half-open"),
        [Dead, HalfOpen]
    );
    assert_eq!(admits("cleanup.tiers.moderate.admits="), []);
}

#[test]
fn parameters_have_hyphens_however_they_arrive() {
    let loaded = loaded(
        "[policy.params]\nidle-weight = 2",
        &[
            ("WASTEGATE_POLICY__PARAMS__MAX_AGE", "1.5"),
            ("WASTEGATE_POLICY__PARAMS__IDLE_WEIGHT", "3"),
        ],
        &["policy.params.x=-1e3"],
    )
    .unwrap();
    let params: Vec<_> = loaded.config.ranking.params.into_iter().collect();
    let expected = [("idle-weight", 3.0), ("max-age", 1.5), ("x", -1e3)];
    assert_eq!(
        params,
        expected.map(|(name, value)| (name.to_owned(), value))
    );
}

#[test]
fn a_policy_file_goes_before_a_name() {
    let source = |set: &[&str]| loaded("", &[], set).unwrap().config.ranking.source;
    assert_eq!(
        source(&["policy.name=lru"]),
        PolicySource::Shipped("lru".to_owned())
    );
    let both = source(&["policy.name=lru", "policy.file=mine.wasm"]);
    assert_eq!(both, PolicySource::File("mine.wasm".into()));
}

#[test]
fn admin_and_idle_times_can_be_switched_off() {
    let off = [
        "admin.listen=off",
        "cleanup.tiers.proactive.idle_ttl.max_ms=off",
    ];
    let config = loaded("", &[], &off).unwrap().config;
    assert_eq!(config.admin, AdminListener::Off);
    assert_eq!(
        config
            .cleanup
            .table
            .rule(wastegate_core::types::Tier::Proactive)
            .idle_ttl,
        None
    );
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_left_alone() {
    let links = [
        ("WASTEGATE_SERVICE_HOST", "10.0.0.1"),
        ("WASTEGATE_SERVICE_PORT", "80"),
        ("WASTEGATE_SERVICE_PORT_HTTP", "80"),
        ("WASTEGATE_PORT", "tcp://10.0.0.1:80"),
        ("WASTEGATE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("WASTEGATE_ADMIN_SERVICE_HOST", "10.0.0.2"),
        ("WASTEGATE_ADMIN_PORT_9090_TCP", "tcp://10.0.0.2:9090"),
    ];
    assert_same(
        &loaded("", &links, &[]).unwrap().config,
        &ProgramConfig::default(),
    );
    let alone = loaded("", &[("WASTEGATE_PORT", "80")], &[]).unwrap_err();
    assert!(
        alone.starts_with("unknown variable WASTEGATE_PORT "),
        "{alone}"
    );
}

#[test]
fn a_secret_is_set_and_never_shown() {
    const SECRET: &str = "00112233445566778899aabbccddeeff";
    let file = format!("[observe]\npseudonym_key = \"{SECRET}\"");
    let loaded = loaded(&file, &[], &[]).unwrap();
    assert_eq!(
        loaded.config.observe.pseudonym_key,
        Some(SECRET.parse().unwrap())
    );
    assert_eq!(
        setting(&loaded, "observe.pseudonym_key").value,
        SettingValue::Secret("set")
    );
    let printed = format!("{loaded:?}{}", loaded.to_toml());
    assert!(!printed.contains(SECRET), "{printed}");
}

#[test]
fn a_journal_is_kept_where_it_has_a_path() {
    let observe = |set: &[&str]| loaded("", &[], set).unwrap().config.observe;
    assert!(
        observe(&["observe.decisions.keep_files=3"])
            .decisions
            .is_none()
    );
    let on = observe(&[
        "observe.decisions.keep_files=3",
        "observe.decisions.path=d.jsonl",
    ]);
    let journal = on.decisions.unwrap();
    assert_eq!((journal.path, journal.keep_files), ("d.jsonl".into(), 3));
    assert!(on.activity.is_none());
}
