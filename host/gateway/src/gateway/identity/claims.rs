//! What an identity provider says about a client, and what that means here.

use serde_json::{Map, Value};

use super::names::Named;
use super::{Identity, Unidentified};
use wastegate_core::types::{DeviceId, ManagerKey, TokenFacts, UserId};

/// Which claim means what. An empty name is never said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The user. `sub`.
    pub user: String,
    /// The manager; where it is not said, the client says it. Empty.
    pub key: String,
    /// The device; where it is not said, the client says it. Empty.
    pub device: String,
    /// The class, or classes, of the user. `class`.
    pub class: String,
    /// The priority of the manager. `priority`.
    pub priority: String,
    /// How many managers the user may hold. `managers`.
    pub managers: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user: "sub".to_owned(),
            key: String::new(),
            device: String::new(),
            class: "class".to_owned(),
            priority: "priority".to_owned(),
            managers: "managers".to_owned(),
        }
    }
}

/// What makes an identity of claims.
pub(super) struct Reader<'a> {
    pub(super) config: &'a Config,
    pub(super) protected_classes: &'a [String],
}

impl Reader<'_> {
    /// The client that these claims are of; what they leave open of manager and device is as it
    /// `named` them.
    pub(super) fn read(
        &self,
        claims: &Map<String, Value>,
        mut named: Named,
    ) -> Result<Identity, Unidentified> {
        let text = |name: &str| match claims.get(name).filter(|_| !name.is_empty()) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(odd(name, "text")),
        };
        let user = text(&self.config.user)?.ok_or_else(|| {
            Unidentified::Rejected(format!("claim `{}` is missing", self.config.user))
        })?;
        if let Some(value) = text(&self.config.key)? {
            named.key = Some(ManagerKey::new(&value)?);
        }
        if let Some(value) = text(&self.config.device)? {
            named.device = Some(DeviceId::new(&value)?);
        }
        let class = named.class;
        let (key, device) = named.key_and_device()?;
        let number = |name: &str| claims.get(name).filter(|value| !value.is_null());
        let priority = match number(&self.config.priority) {
            None => None,
            Some(value) => {
                let whole = value.as_i64().and_then(|whole| i32::try_from(whole).ok());
                Some(whole.ok_or_else(|| odd(&self.config.priority, "a whole number of 32 bits"))?)
            }
        };
        let managers_max = match number(&self.config.managers) {
            None => None,
            Some(value) => {
                let whole = value.as_u64().and_then(|whole| u32::try_from(whole).ok());
                let most = whole.filter(|most| *most > 0);
                Some(most.ok_or_else(|| odd(&self.config.managers, "a whole number above 0"))?)
            }
        };
        Ok(Identity {
            device_class: class,
            protected: self.is_protected(claims.get(&self.config.class))?,
            priority,
            managers_max,
            token: token(claims),
            ..Identity::new(UserId::new(&user)?, key, device)
        })
    }

    fn is_protected(&self, value: Option<&Value>) -> Result<bool, Unidentified> {
        let is_named = |class: &Value| {
            let class = class.as_str();
            class.is_some_and(|class| self.protected_classes.iter().any(|other| other == class))
        };
        match value {
            None | Some(Value::Null) => Ok(false),
            Some(class @ Value::String(_)) => Ok(is_named(class)),
            Some(Value::Array(classes)) => Ok(classes.iter().any(is_named)),
            Some(_) => Err(odd(&self.config.class, "text, or a list of texts")),
        }
    }
}

/// By what the token of these claims can be revoked; none where they name neither.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number that fits"
)]
fn token(claims: &Map<String, Value>) -> Option<TokenFacts> {
    let id = match claims.get("jti") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    };
    // Seconds, perhaps with a fraction (RFC 7519, section 2).
    let issued = claims.get("iat").and_then(Value::as_f64);
    (id.is_some() || issued.is_some()).then(|| TokenFacts {
        id: id.map(Into::into),
        issued_unix_ms: issued.map(|seconds| (seconds * 1_000.0) as u64),
    })
}

fn odd(name: &str, wanted: &str) -> Unidentified {
    Unidentified::Rejected(format!("claim `{name}` must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: &Value, query: &str) -> Result<Identity, String> {
        let config = Config {
            device: "did".to_owned(),
            ..Config::default()
        };
        let reader = Reader {
            config: &config,
            protected_classes: &["premium".to_owned()],
        };
        let claims = claims.as_object().unwrap();
        let request = axum::http::Request::get(format!("/ws?{query}"));
        let parts = request.body(()).unwrap().into_parts().0;
        let named = super::super::Naming::default()
            .read(&parts, Some(claims))
            .unwrap();
        let read = reader.read(claims, named);
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn claims_come_before_the_query_and_the_query_never_says_who() {
        let claims = json!({
            "sub": "ann", "did": "phone", "class": ["x", "premium"], "priority": -3, "managers": 5
        });
        let identity = read(&claims, "user=mallory&key=k&device=d&class=standard").unwrap();
        assert_eq!(identity.user.as_str(), "ann");
        assert_eq!(identity.key.as_str(), "k");
        assert_eq!(identity.device.as_str(), "phone");
        assert!(identity.protected);
        assert_eq!(
            (identity.priority, identity.managers_max),
            (Some(-3), Some(5))
        );
        let token = read(&json!({ "sub": "a", "jti": "t1", "iat": 1.5 }), "key=k").unwrap();
        let facts = TokenFacts {
            id: Some("t1".into()),
            issued_unix_ms: Some(1_500),
        };
        assert_eq!((token.token, identity.token), (Some(facts), None));
        let plain = read(&json!({ "sub": 17 }), "class=premium").unwrap();
        assert_eq!((plain.user.as_str(), plain.protected), ("17", false));
    }

    #[test]
    fn odd_claims_say_which_and_what_they_should_be() {
        for (claims, expected) in [
            (json!({}), "claim `sub` is missing"),
            (json!({ "sub": ["ann"] }), "claim `sub` must be text"),
            (
                json!({ "sub": "" }),
                "`user` is empty; give it at least one character",
            ),
            (
                json!({ "sub": "a", "managers": 0 }),
                "claim `managers` must be a whole number above 0",
            ),
            (
                json!({ "sub": "a", "priority": 1e10 }),
                "claim `priority` must be a whole number of 32 bits",
            ),
            (
                json!({ "sub": "a", "class": 1 }),
                "claim `class` must be text, or a list of texts",
            ),
        ] {
            assert_eq!(read(&claims, "").unwrap_err(), expected);
        }
    }
}
