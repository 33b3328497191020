//! Shapes of text: names, addresses, paths.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Shape;
use crate::config::AdminListener;
use crate::config::raw::{Raw, Value};
use crate::types::ids::NAME_BYTES_MAX;

fn text(raw: &Raw) -> Result<&str, String> {
    raw.as_text().ok_or_else(|| format!("{raw} is not text"))
}

/// A name that ends up in records and log lines.
pub(in crate::config) struct Name;

impl Shape<String> for Name {
    fn accepts(&self) -> String {
        format!("a name of 1 to {NAME_BYTES_MAX} bytes without control characters")
    }

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let name = text(raw)?;
        if name.is_empty() {
            return Err("the name is empty".to_owned());
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(format!("the name has {} bytes", name.len()));
        }
        if name.contains(char::is_control) {
            return Err(format!("{name:?} has a control character"));
        }
        Ok(name.to_owned())
    }

    fn show(&self, value: &String) -> Value {
        Value::Text(value.clone())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> Value {
        Value::Text(format!("name \"{seed}\" \\ 'é'"))
    }
}

/// An address to listen on.
pub(in crate::config) struct Address;

impl Shape<SocketAddr> for Address {
    fn accepts(&self) -> String {
        "an IP address and port, such as 127.0.0.1:8080 or [::1]:8080".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<SocketAddr, String> {
        let text = text(raw)?;
        text.parse()
            .map_err(|_| format!("{text:?} is not an IP address and port"))
    }

    fn show(&self, value: &SocketAddr) -> Value {
        Value::Text(value.to_string())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> Value {
        Value::Text(format!("127.0.0.1:{}", 20_000 + seed % 20_000))
    }
}

/// An address to listen on, or `"off"`.
pub(in crate::config) struct AddressOrOff;

const OFF: &str = "off";

impl Shape<AdminListener> for AddressOrOff {
    fn accepts(&self) -> String {
        format!("{}, or \"{OFF}\"", Address.accepts())
    }

    fn read(&self, raw: &Raw) -> Result<AdminListener, String> {
        if raw.as_text() == Some(OFF) {
            return Ok(AdminListener::Off);
        }
        Address.read(raw).map(AdminListener::On)
    }

    fn show(&self, value: &AdminListener) -> Value {
        match value {
            AdminListener::On(address) => Address.show(address),
            AdminListener::Off => Value::Text(OFF.to_owned()),
        }
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> Value {
        match seed % 4 {
            0 => Value::Text(OFF.to_owned()),
            _ => Address.sample(seed + 1),
        }
    }
}

/// A path, or empty text for none. Relative to the working directory, as everywhere else.
pub(in crate::config) struct OptionalPath;

impl Shape<Option<PathBuf>> for OptionalPath {
    fn accepts(&self) -> String {
        "a path, or \"\" for none".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<Option<PathBuf>, String> {
        let path = text(raw)?;
        if path.contains('\0') {
            return Err(format!("{path:?} has a NUL character"));
        }
        Ok((!path.is_empty()).then(|| path.into()))
    }

    fn show(&self, value: &Option<PathBuf>) -> Value {
        let path = value.as_ref().map(|path| path.display().to_string());
        Value::Text(path.unwrap_or_default())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> Value {
        match seed % 4 {
            0 => Value::Text(String::new()),
            _ => Value::Text(format!("some where/{seed}.wasm")),
        }
    }
}
