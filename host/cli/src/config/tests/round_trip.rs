//! What is shown loads to what was loaded.

use proptest::prelude::*;

use super::super::key::{Key, Secrecy};
use super::super::keys::Table;
use super::*;

/// Values for some keys, each in its own range; together they may still be refused.
fn some_keys() -> impl Strategy<Value = Vec<(usize, u64)>> {
    prop::collection::vec((0..settable(&Table::new()).len(), any::<u64>()), 0..12)
}

/// All keys but those that a flag may not set.
fn settable(table: &Table) -> Vec<&Key> {
    table
        .keys()
        .filter(|key| key.secrecy() == Secrecy::Open)
        .collect()
}

proptest! {
    #[test]
    fn shown_is_loaded(chosen in some_keys(), params in prop::collection::btree_map("[a-z]{1,8}", -1e9..1e9, 0..3)) {
        let table = Table::new();
        let keys = settable(&table);
        let mut set: Vec<_> = chosen
            .iter()
            .map(|(at, seed)| format!("{}={}", keys[*at].path(), as_text(&keys[*at].sample(*seed))))
            .collect();
        set.extend(params.iter().map(|(name, value)| format!("policy.params.{name}={value:?}")));
        let first = load(Sources { set, ..Sources::default() });
        // What is refused together is refused for its keys, and there is nothing to show.
        let first = match first {
            Ok(first) => first,
            Err(error) => {
                prop_assert!(error.problems().iter().all(|problem| !problem.keys().is_empty()), "{error}");
                return Ok(());
            }
        };
        let second = loaded(&first.to_toml(), &[], &[]).map_err(TestCaseError::fail)?;
        prop_assert_eq!(format!("{:?}", first.config), format!("{:?}", second.config));
        let values = |loaded: &LoadedConfig| -> Vec<_> {
            loaded.settings.iter().map(|setting| (setting.key.clone(), setting.value.clone())).collect()
        };
        prop_assert_eq!(values(&first), values(&second));
    }
}
