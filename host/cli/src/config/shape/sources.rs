//! Shapes that only sources of policies need: references, keys, credentials.

use super::Shape;
use crate::config::raw::{Raw, SettingValue};
use wastegate_control::rollout::signature::{KEYS_MAX, Key, Keys};
use wastegate_control::rollout::source::oci::Reference;
use wastegate_core::types::Secret;
use wastegate_core::types::ids::NAME_BYTES_MAX;

/// The longest password or token, bytes.
const SECRET_BYTES_MAX: usize = 8 * 1_024;

/// A policy in a registry, or empty text for none.
pub(in crate::config) struct OptionalReference;

impl Shape<Option<Reference>> for OptionalReference {
    fn accepts(&self) -> String {
        "`registry/repository:tag`, `registry/repository@sha256:…`, or \"\" for none".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<Option<Reference>, String> {
        match raw.as_text() {
            None => Err(format!("{raw} is not text")),
            Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(
                |error: wastegate_control::rollout::source::oci::InvalidReference| {
                    error.why().to_owned()
                },
            ),
        }
    }

    fn show(&self, value: &Option<Reference>) -> SettingValue {
        let text = value.as_ref().map(Reference::to_string);
        SettingValue::Text(text.unwrap_or_default())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 4 {
            0 => SettingValue::Text(String::new()),
            1 => SettingValue::Text(format!("r.example/lru@sha256:{seed:064x}")),
            _ => SettingValue::Text(format!("registry.example:5000/policies/lru:{seed}")),
        }
    }
}

/// Public keys of minisign, each as the line of 56 characters.
pub(in crate::config) struct MinisignKeys;

impl Shape<Keys> for MinisignKeys {
    fn accepts(&self) -> String {
        format!(
            "a list of at most {KEYS_MAX} minisign public keys, each the line of 56 characters that begins with `RW`"
        )
    }

    fn read(&self, raw: &Raw) -> Result<Keys, String> {
        let items = raw
            .as_list()
            .ok_or_else(|| format!("{raw} is not a list"))?;
        if items.len() > KEYS_MAX {
            return Err(format!("the list has {} keys", items.len()));
        }
        let mut keys: Vec<Key> = Vec::new();
        for item in &items {
            let text = item
                .as_text()
                .ok_or_else(|| format!("{item} is not text"))?;
            let key = Key::new(text).map_err(|_| format!("{text:?} is no public key"))?;
            if keys.contains(&key) {
                return Err(format!("key {} is named twice", key.id()));
            }
            keys.push(key);
        }
        Ok(Keys::new(keys))
    }

    fn show(&self, value: &Keys) -> SettingValue {
        SettingValue::List(value.iter().map(|key| key.as_str().to_owned()).collect())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        let keys = [
            "RWR+woIlFmVRY2ReOwBhXYo818CSI6I/d7+RN5yf1RfDczN37OO+Z+Av",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        ];
        let some = keys.iter().take(usize::try_from(seed % 3).unwrap());
        SettingValue::List(some.map(|key| (*key).to_owned()).collect())
    }
}

/// Text that may be empty, for a header: no control characters, and no colon, which would end it.
pub(in crate::config) struct OptionalText;

impl Shape<String> for OptionalText {
    fn accepts(&self) -> String {
        format!(
            "text of at most {NAME_BYTES_MAX} bytes without colons and control characters, or \"\" for none"
        )
    }

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let text = raw.as_text().ok_or_else(|| format!("{raw} is not text"))?;
        if text.len() > NAME_BYTES_MAX {
            return Err(format!("the text has {} bytes", text.len()));
        }
        if text.contains(|letter: char| letter == ':' || letter.is_control()) {
            return Err(format!("{text:?} has a colon or a control character"));
        }
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> SettingValue {
        SettingValue::Text(value.clone())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 4 {
            0 => SettingValue::Text(String::new()),
            _ => SettingValue::Text(format!("user {seed} é")),
        }
    }
}

/// A password or a token, or empty text for none. Neither a message nor `show` repeats it.
pub(in crate::config) struct Credential;

impl Shape<Secret> for Credential {
    fn accepts(&self) -> String {
        format!(
            "text of at most {SECRET_BYTES_MAX} bytes without control characters, or \"\" for none"
        )
    }

    fn read(&self, raw: &Raw) -> Result<Secret, String> {
        let text = raw.as_text().ok_or("the value is not text")?;
        if text.len() > SECRET_BYTES_MAX {
            return Err(format!("the text has {} bytes", text.len()));
        }
        if text.contains(char::is_control) {
            return Err("the text has a control character".to_owned());
        }
        Ok(Secret::new(text))
    }

    fn show(&self, value: &Secret) -> SettingValue {
        SettingValue::Secret(if value.is_empty() { "not set" } else { "set" })
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Text(format!("token {seed:x}"))
    }
}
