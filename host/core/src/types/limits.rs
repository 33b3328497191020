//! What an operator may set for one policy instead of the node's values.
//!
//! Not here: what may be set (`policy::allowance`, which knows the node's values), and what becomes
//! of a call that goes beyond it (`policy::call`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of one policy. What is not set is as the node's `[policy]` section has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fuel of every call, whatever its size, units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_base: Option<u64>,
    /// Fuel of a call for each row on top, units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_per_row: Option<u64>,
    /// Memory of a call, bytes. One that is large for its rows gets more on top, as the node's does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How long a call may take by the wall clock; serialised as `deadline_ms`.
    #[serde(
        default,
        rename = "deadline_ms",
        with = "millis",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub deadline: Option<Duration>,
}

impl Limits {
    /// All as the node has it.
    pub const NODES: Self = Self {
        fuel_base: None,
        fuel_per_row: None,
        memory_bytes: None,
        deadline: None,
    };

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::NODES
    }
}

/// A duration as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::time::whole_ms;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let millis = duration.map(whole_ms);
        millis.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let millis = Option::<u64>::deserialize(deserializer)?;
        Ok(millis.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_written_and_a_mistyped_name_is_refused() {
        let limits = Limits {
            fuel_per_row: Some(2_000),
            deadline: Some(Duration::from_millis(30)),
            ..Limits::NODES
        };
        let json = serde_json::to_string(&limits).unwrap();
        assert_eq!(json, r#"{"fuel_per_row":2000,"deadline_ms":30}"#);
        assert_eq!(serde_json::from_str::<Limits>(&json).unwrap(), limits);
        assert!(serde_json::from_str::<Limits>("{}").unwrap().is_empty());
        assert!(serde_json::from_str::<Limits>(r#"{"fuel":1}"#).is_err());
    }
}
