//! Headers by which a proxy in front names the user, after it has checked that itself. Believed
//! of the proxies that were named, and of nobody else: anybody can send a header.

use axum::http::request::Parts;
use ipnet::IpNet;
use serde_json::{Map, Value};

use super::claims::{self, Reader};
use super::{Identified, Identify, Identity, Naming, Unidentified};
use crate::gateway::peer;

/// Which header says what. An empty name is never said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The user. `x-user`.
    pub user: String,
    /// The manager; where it is not said, the client says it. Empty.
    pub key: String,
    /// The device; where it is not said, the client says it. Empty.
    pub device: String,
    /// The class of the user. `x-user-class`.
    pub class: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user: "x-user".to_owned(),
            key: String::new(),
            device: String::new(),
            class: "x-user-class".to_owned(),
        }
    }
}

/// Identifies by what proxies say.
#[derive(Debug)]
pub struct Forwarded {
    /// The headers, by what they say.
    names: claims::Config,
    protected_classes: Vec<String>,
    naming: Naming,
    proxies: Vec<IpNet>,
}

impl Forwarded {
    /// By these headers, of these proxies.
    #[must_use]
    pub fn new(config: &super::Config, naming: Naming, proxies: Vec<IpNet>) -> Self {
        let headers = config.headers.clone();
        Self {
            names: claims::Config {
                user: headers.user,
                key: headers.key,
                device: headers.device,
                class: headers.class,
                priority: String::new(),
                managers: String::new(),
            },
            protected_classes: config.protected_classes.clone(),
            naming,
            proxies,
        }
    }

    fn who(&self, parts: &Parts) -> Result<Identity, Unidentified> {
        let proxy = peer::socket(parts);
        let is_named = |proxy| self.proxies.iter().any(|net| net.contains(&proxy));
        if !proxy.is_some_and(is_named) {
            return Err(Unidentified::Forbidden(
                "connections are taken from the proxies in front only".to_owned(),
            ));
        }
        let headers = &self.names;
        let mut claims = Map::new();
        for name in [&headers.user, &headers.key, &headers.device, &headers.class] {
            if name.is_empty() {
                continue;
            }
            let mut values = parts.headers.get_all(name).iter();
            let value = values.next();
            if values.next().is_some() {
                return Err(Unidentified::Rejected(format!(
                    "header `{name}` occurs more than once"
                )));
            }
            if let Some(value) = value {
                let text = std::str::from_utf8(value.as_bytes());
                let text = text.map_err(|_| Unidentified::NoText(format!("header `{name}`")))?;
                claims.insert(name.clone(), Value::from(text));
            }
        }
        if !claims.contains_key(&headers.user) {
            return Err(Unidentified::Rejected(format!(
                "header `{}` is missing",
                headers.user
            )));
        }
        let reader = Reader {
            config: &self.names,
            protected_classes: &self.protected_classes,
        };
        reader.read(&claims, self.naming.read(parts, None)?)
    }
}

impl Identify for Forwarded {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(std::future::ready(self.who(parts)))
    }
}
