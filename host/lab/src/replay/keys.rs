//! The keys of a trace as a replay orders them where nothing else decides: numbers by their value,
//! as other simulators do, and every other name by its text, as a gateway does.

use crate::trace::TraceSession;
use wastegate_core::types::{InvalidId, ManagerKey};

/// The key of every session. Where all names are numbers, zeros in front give them one width, so
/// that the order of texts is theirs; a number that is written with zeros in front could then be
/// another's, and all stay as they are.
pub(super) fn keys(sessions: &[TraceSession]) -> Result<Vec<ManagerKey>, InvalidId> {
    let is_number = |key: &str| {
        key.bytes().all(|byte| byte.is_ascii_digit()) && (key == "0" || !key.starts_with('0'))
    };
    let are_numbers = sessions.iter().all(|session| is_number(&session.key));
    let longest = sessions.iter().map(|session| session.key.len()).max();
    let width = longest.filter(|_| are_numbers).unwrap_or_default();
    let key = |session: &TraceSession| ManagerKey::held(&format!("{:0>width$}", session.key));
    sessions.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        let session = |name: &&str| TraceSession {
            user: 0,
            key: (*name).into(),
        };
        let sessions: Vec<TraceSession> = names.iter().map(session).collect();
        let keys = keys(&sessions).unwrap();
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn numbers_are_in_the_order_of_numbers() {
        assert_eq!(named(&["9", "10", "0"]), ["09", "10", "00"]);
        assert_eq!(named(&["9", "10", "a"]), ["9", "10", "a"]);
        assert_eq!(named(&["1", "01", "10"]), ["1", "01", "10"]);
    }
}
