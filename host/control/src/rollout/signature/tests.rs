//! Signatures made by the crate `minisign` and by the tool of that name.

use std::io::Cursor;

use minisign::{KeyPair, SignatureBox};
use proptest::prelude::*;

use super::*;
use crate::rollout::source::PolicyName;

fn pair() -> (KeyPair, Key) {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let key = Key::new(&pair.pk.to_base64()).unwrap();
    (pair, key)
}

fn sign(pair: &KeyPair, bytes: &[u8], comment: &str) -> String {
    let signed: SignatureBox =
        minisign::sign(None, &pair.sk, Cursor::new(bytes), Some(comment), None).unwrap();
    signed.to_string()
}

fn keys<const N: usize>(keys: [&Key; N]) -> Keys {
    Keys::new(keys.into_iter().cloned().collect())
}

#[test]
fn without_keys_nobody_asks() {
    let asked = Keys::default().verify(b"policy", None);
    assert_eq!(asked, Ok(Verified::NotAsked));
}

#[test]
fn any_of_the_keys_will_do_and_the_comment_is_told() {
    let ((old, old_key), (new, new_key)) = (pair(), pair());
    let keys = keys([&old_key, &new_key]);
    for (pair, key) in [(&old, &old_key), (&new, &new_key)] {
        let signature = sign(pair, b"policy", "build 7");
        let verified = keys.verify(b"policy", Some(&signature)).unwrap();
        let comment = "build 7".to_owned();
        let expected = Verified::Signed {
            key: key.id(),
            comment,
        };
        assert_eq!(verified, expected);
    }
}

#[test]
fn a_key_is_called_as_minisign_calls_it() {
    let (pair, key) = pair();
    let signature = sign(&pair, b"policy", "");
    let comment = pair.pk.to_box().unwrap().to_string();
    let first = comment.lines().next().unwrap();
    assert!(first.ends_with(&key.id().to_string()), "{first}");
    let (_, id) = read(&signature).unwrap();
    assert_eq!(id, key.id());
}

#[test]
fn each_way_to_be_wrong_has_its_own_sentence() {
    let ((signer, key), (stranger, strange)) = (pair(), pair());
    let keys = keys([&key]);
    let good = sign(&signer, b"policy", "c");
    let refused =
        |bytes: &[u8], signature: Option<&str>| keys.verify(bytes, signature).unwrap_err();

    assert_eq!(refused(b"policy", None), SignatureRefused::Missing);
    let foreign = sign(&stranger, b"policy", "c");
    let unknown = refused(b"policy", Some(&foreign));
    assert_eq!(unknown, SignatureRefused::UnknownKey(strange.id()));
    let wrong = SignatureRefused::Wrong(key.id());
    assert_eq!(refused(b"policx", Some(&good)), wrong);
    let forged = good.replace("trusted comment: c", "trusted comment: d");
    assert_eq!(refused(b"policy", Some(&forged)), wrong);
    let long = "a".repeat(SIGNATURE_BYTES_MAX + 1);
    let too_long = SignatureRefused::TooLong { bytes: long.len() };
    assert_eq!(refused(b"policy", Some(&long)), too_long);
    for malformed in [
        "",
        "signed by me",
        good.lines().next().unwrap(),
        &good[..100],
    ] {
        let message = refused(b"policy", Some(malformed));
        assert_eq!(message, SignatureRefused::Malformed, "{malformed}");
    }
}

/// Made by minisign 0.11 with `-G -W`, `-S -t "release 1"`, and `-S -l`.
#[test]
fn what_the_tool_signs_is_taken_and_its_old_format_is_not() {
    let lines = include_str!("fixtures/operator.pub");
    let key = Key::new(lines.lines().nth(1).unwrap()).unwrap();
    assert_eq!(key.id().to_string(), "635165162582C27E");
    let (keys, bytes) = (keys([&key]), include_bytes!("fixtures/policy.wasm"));
    let verified = keys.verify(bytes, Some(include_str!("fixtures/policy.wasm.minisig")));
    let signed = Verified::Signed {
        key: key.id(),
        comment: "release 1".to_owned(),
    };
    assert_eq!(verified, Ok(signed));
    let legacy = include_str!("fixtures/policy.wasm.legacy.minisig");
    let refused = keys.verify(bytes, Some(legacy));
    assert_eq!(refused, Err(SignatureRefused::Legacy(key.id())));
}

#[test]
fn only_what_the_host_was_built_with_needs_none() {
    let (_, key) = pair();
    let fetched = |origin| Fetched {
        name: PolicyName::new("lru").unwrap(),
        bytes: b"policy".as_slice().into(),
        signature: None,
        origin,
    };
    let keys = keys([&key]);
    assert_eq!(
        keys.admit(&fetched(PolicyOrigin::Shipped)),
        Ok(Verified::Shipped)
    );
    let outside = [
        PolicyOrigin::File("f".into()),
        PolicyOrigin::Directory("d".into()),
        PolicyOrigin::Upload,
        PolicyOrigin::Registry("r".to_owned()),
    ];
    for origin in outside {
        let refused = keys.admit(&fetched(origin.clone()));
        assert_eq!(refused, Err(SignatureRefused::Missing), "{origin}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let (_, key) = pair();
    let short = &key.as_str()[1..];
    let other = key.as_str().replacen("RW", "XX", 1);
    for bad in ["", short, &other, &"!".repeat(56), &"é".repeat(28)] {
        assert!(Key::new(bad).is_err(), "{bad}");
    }
}

proptest! {
    /// Nothing but what was signed passes, and nothing panics.
    #[test]
    fn no_other_text_is_a_signature(at in 0_usize..300, with in any::<char>()) {
        let (signer, key) = pair();
        let good = sign(&signer, b"policy", "comment");
        let mut changed: Vec<char> = good.chars().collect();
        let Some(letter) = changed.get_mut(at) else { return Ok(()) };
        *letter = with;
        let changed: String = changed.into_iter().collect();
        let verified = keys([&key]).verify(b"policy", Some(&changed));
        // The first line is a comment that is not signed.
        let untrusted = changed.lines().skip(1).eq(good.lines().skip(1));
        prop_assert_eq!(verified.is_ok(), untrusted, "{}", changed);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}", lines in prop::collection::vec("[ -~]{0,120}", 0..6)) {
        let (_, key) = pair();
        let keys = keys([&key]);
        prop_assert!(keys.verify(b"policy", Some(&text)).is_err());
        prop_assert!(keys.verify(b"policy", Some(&lines.join("\n"))).is_err());
        prop_assert!(Key::new(&text).is_err());
    }
}
