//! Shapes of text: names, addresses, paths.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use super::Shape;
use crate::config::AdminListener;
use crate::config::raw::{Raw, SettingValue};
use wastegate_core::types::ids::NAME_BYTES_MAX;

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

    fn show(&self, value: &String) -> SettingValue {
        SettingValue::Text(value.clone())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Text(format!("name \"{seed}\" \\ 'é'"))
    }
}

/// An address to listen on. A name is looked up once, when the settings are read.
pub(in crate::config) struct Address;

impl Shape<SocketAddr> for Address {
    fn accepts(&self) -> String {
        "an address and port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<SocketAddr, String> {
        let text = text(raw)?;
        text.parse().or_else(|_| resolve(text))
    }

    fn show(&self, value: &SocketAddr) -> SettingValue {
        SettingValue::Text(value.to_string())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Text(format!("127.0.0.1:{}", 20_000 + seed % 20_000))
    }
}

/// The address of a name and port: the first of IPv4, else the first of all.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    let is_name = |host: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !host.is_empty()
            && host.bytes().all(letter)
            && host.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let port = match text.rsplit_once(':') {
        Some((host, port)) if is_name(host) => port.parse::<u16>().ok(),
        _ => None,
    };
    if port.is_none() {
        let hint = match text.parse::<std::net::IpAddr>() {
            Ok(_) => "; a port is missing",
            Err(_) if is_name(text) => "; a port is missing",
            Err(_) => "",
        };
        return Err(format!("{text:?} is not an address and port{hint}"));
    }
    let found = text
        .to_socket_addrs()
        .map_err(|error| format!("{text:?} cannot be looked up ({error})"))?;
    let found: Vec<SocketAddr> = found.collect();
    let first = found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first());
    first
        .copied()
        .ok_or_else(|| format!("{text:?} has no address"))
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

    fn show(&self, value: &AdminListener) -> SettingValue {
        match value {
            AdminListener::On(address) => Address.show(address),
            AdminListener::Off => SettingValue::Text(OFF.to_owned()),
        }
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 4 {
            0 => SettingValue::Text(OFF.to_owned()),
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

    fn show(&self, value: &Option<PathBuf>) -> SettingValue {
        let path = value.as_ref().map(|path| path.display().to_string());
        SettingValue::Text(path.unwrap_or_default())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 4 {
            0 => SettingValue::Text(String::new()),
            _ => SettingValue::Text(format!("some where/{seed}.wasm")),
        }
    }
}
