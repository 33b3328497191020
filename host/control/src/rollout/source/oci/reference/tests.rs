//! References as they are written, and which hosts are inside.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Reference, String> {
    text.parse()
        .map_err(|error: InvalidReference| error.to_string())
}

#[test]
fn what_was_written_is_kept() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let pinned = format!("127.0.0.1:5000/a/lru-k:1.2@{digest}");
    let reference = parse(&pinned).unwrap();
    assert_eq!(reference.to_string(), pinned);
    assert_eq!(reference.registry(), "127.0.0.1:5000");
    assert_eq!(reference.repository(), "a/lru-k");
    assert_eq!(
        (reference.tag(), reference.pin()),
        (Some("1.2"), Some(&*digest))
    );
    assert_eq!(reference.asked(), digest);
    assert_eq!(reference.policy().as_str(), "lru-k");
    let tagged = parse("localhost/lru:1").unwrap();
    assert_eq!(
        tagged.resolved(&digest),
        format!("localhost/lru:1@{digest}")
    );
    assert_eq!(tagged.asked(), "1");
}

/// P24: a host has no case, and an address of IPv6 stands in brackets.
#[test]
fn p24_hosts_have_no_case_and_may_be_ipv6() {
    for (text, host, is_plain) in [
        ("[::1]:5000/x:1", "[::1]", true),
        ("[::1]/x:1", "[::1]", true),
        ("[2001:db8::1]:5000/x:1", "[2001:db8::1]", false),
        ("LOCALHOST:5000/x:1", "LOCALHOST", true),
        ("LocalHost/x:1", "LocalHost", true),
        ("Registry.Example:5000/x:1", "Registry.Example", false),
    ] {
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.to_string(), text, "what was written is kept");
        assert_eq!(reference.host(), host);
        assert_eq!(
            super::super::transport::is_plain(&reference, false),
            is_plain,
            "{text}"
        );
    }
    for text in [
        "[::1/x:1",
        "::1:5000/x:1",
        "[::g]:5000/x:1",
        "[::1]5000/x:1",
        "[127.0.0.1]:1/x:1",
    ] {
        let message = parse(text).unwrap_err();
        assert!(message.contains("is no reference"), "{text}: {message}");
    }
    let reference = |text: &str| text.parse::<Reference>().unwrap();
    let one = reference("Registry.Example/x:1");
    assert!(one.shares_registry(&reference("registry.example/y:2")));
    assert!(!one.shares_registry(&reference("registry.example:5000/x:1")));
}

#[test]
fn dockers_registry_is_asked_where_it_is() {
    let reference: Reference = "docker.io/lru:1".parse().unwrap();
    assert_eq!(reference.address(), "index.docker.io");
    assert_eq!(
        (reference.path(), reference.to_string()),
        ("library/lru".into(), "docker.io/lru:1".to_owned())
    );
    let reference: Reference = "docker.io/me/lru:1".parse().unwrap();
    assert_eq!(reference.path(), "me/lru");
}

#[test]
fn each_way_to_be_wrong_is_named() {
    let short = format!("r.example/lru@sha256:{}", "0".repeat(40));
    let upper = format!("r.example/lru@sha256:{}", "A".repeat(64));
    for (text, why) in [
        ("", "is no reference"),
        ("r.example/LRU:1", "is no reference"),
        ("https://r.example/lru:1", "is no reference"),
        ("lru:1", "which registry"),
        ("policies/lru:1", "which registry"),
        ("r.example:5000/lru", "neither tag nor digest"),
        ("r.example/my_policy:1", "names no policy"),
        (short.as_str(), "is no reference"),
        (upper.as_str(), "lower case"),
        (&format!("r.example/{}:1", "a".repeat(600)), "too long"),
    ] {
        let message = parse(text).unwrap_err();
        assert!(message.contains(why), "{text}: {message}");
    }
}

#[test]
fn inside_is_what_no_stranger_may_point_at() {
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "::ffff:10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.1.1",
        "fd00::1",
        "192.168.0.1",
    ] {
        assert!(is_inside(host), "{host}");
    }
    for host in ["registry.example", "8.8.8.8", "2001:4860::1", "100.128.0.1"] {
        assert!(!is_inside(host), "{host}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_it_and_what_is_taken_is_shown_as_it_was(text in "[a-z0-9./:@A-Z_-]{0,60}") {
        if let Ok(reference) = parse(&text) {
            prop_assert_eq!(reference.to_string(), text);
        }
    }
}
