//! Every way in which loading can fail, with its sentence in full.

use super::*;
use crate::policy::manifest::Parameter;
use crate::policy::testing::{Guest, WIT, chain, engine};

fn refusal(bytes: &[u8]) -> String {
    policy(&engine(), bytes, &Params::new())
        .unwrap_err()
        .to_string()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_good_guest_becomes_a_policy() {
    let bytes = Guest::default().wasm();
    let policy = policy(&engine(), &bytes, &Params::new()).unwrap();
    assert_eq!(&*policy.about().name, "first");
    assert_eq!(&*policy.about().version, "1.2.3");
    assert_eq!(policy.about().digest, digest(&bytes));
    assert_eq!(**policy.params(), [0.5]);
    assert_eq!(policy.report().breaking_point, None);
}
