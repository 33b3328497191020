//! Every guest that misbehaves when it is loaded: refused with a sentence that says what to mend,
//! while whoever was active stays active. Those that load are `sleepers`' matter.

use wastegate_cli::config::PolicySource;
use wastegate_core::types::chain;
use wastegate_engine::policy::{Params, Pick};
use wastegate_tests::guests::{self, guest, raw};
use wastegate_tests::harness::Setup;

use crate::refusals::{KIT, NO_ANSWER, REFUSED, REFUSED_RAW};
use crate::{sleepers, wrapped};

/// Whether a text is made of those parts.
fn consists_of(text: &str, parts: &[&str]) -> bool {
    match parts {
        [] => text.is_empty(),
        ["…"] => !text.is_empty(),
        ["…", next, rest @ ..] => text
            .split_once(next)
            .is_some_and(|(some, text)| !some.is_empty() && consists_of(text, rest)),
        [part, rest @ ..] => text
            .strip_prefix(part)
            .is_some_and(|text| consists_of(text, rest)),
    }
}

#[test]
fn every_guest_is_used() {
    let mut used: Vec<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    used.extend(sleepers::ACCEPTED);
    used.extend(wrapped::ACCEPTED);
    used.sort_unstable();
    assert_eq!(used, guests::ALL, "each once");
    let mut files: Vec<&str> = REFUSED_RAW.iter().map(|(name, _)| *name).collect();
    let mut all: Vec<&str> = raw::ALL.iter().map(|(name, _)| *name).collect();
    files.sort_unstable();
    all.sort_unstable();
    assert_eq!(files, all);
}

/// Promise 10: a policy that is not accepted says why, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_a_rule_is_refused_with_a_sentence_and_changes_nothing() {
    let server = Setup::new().limit(2).policy("lru").start().await;
    let digest = server.catalog.current().unwrap().about().digest.clone();
    let guests = REFUSED
        .iter()
        .map(|(name, told)| (*name, guest(name).to_vec(), *told));
    let files = REFUSED_RAW.iter().map(|(name, told)| {
        let make = raw::ALL.iter().find(|(known, _)| known == name).unwrap().1;
        (*name, make(), *told)
    });
    for (name, bytes, told) in guests.chain(files) {
        let pick = Pick::Bytes(bytes.into());
        let refused = server.catalog.activate_async(pick, Params::new()).await;
        let text = chain(&refused.unwrap_err());
        assert!(consists_of(&text, told), "{name}: {text}");
        assert_eq!(
            server.catalog.current().unwrap().about().digest,
            digest,
            "{name}"
        );
    }
    let refused = REFUSED.len() + REFUSED_RAW.len();
    let loads = server
        .metric(r#"wastegate_policy_loads_total{result="refused"}"#)
        .await;
    assert_eq!(loads, f64::from(u32::try_from(refused).unwrap()));
    let mut clients = server.fill("ann", 2).await;
    server.enter("ann", "new").await.echo("served").await;
    assert_eq!(clients.remove(0).closed().await, 4501);
}

/// The same at the start: the server does not come up without the policy it was told to use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_start_with_a_policy_that_is_refused() {
    let refused = Setup::new().policy_bytes(guest("traps")).try_start().await;
    let text = chain(&refused.err().unwrap());
    assert!(
        consists_of(
            &text,
            &["the policy was not accepted: ", KIT, NO_ANSWER, "…"]
        ),
        "{text}"
    );

    let unknown = Setup::new().policy("fifoo").try_start().await;
    let text = chain(&unknown.err().unwrap());
    let told = "there is no policy `fifoo` in this host; did you mean `fifo`?";
    assert_eq!(text, format!("the policy was not accepted: {told}"));

    let missing = Setup::new().with(|config| {
        config.ranking.source = PolicySource::File("no/such/policy.wasm".into());
    });
    let text = chain(&missing.try_start().await.err().unwrap());
    let told = "the policy was not accepted: cannot read the policy in no/such/policy.wasm (`policy.file`): ";
    assert!(text.starts_with(told), "{text}");
}
