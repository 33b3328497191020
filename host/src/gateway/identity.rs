//! Who is it. Whatever proves it stays in here; what comes out is checked and typed.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::manager::DeviceClass;
use crate::types::{DeviceId, InvalidId, ManagerKey, UserId};

/// A verified client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose limit it counts against.
    pub user: UserId,
    /// Which manager it wants.
    pub key: ManagerKey,
    /// Which device it is.
    pub device: DeviceId,
    /// What it runs on.
    pub device_class: DeviceClass,
    /// Its user belongs to a protected class.
    pub protected: bool,
}

/// Why nobody could be made of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// The request does not say who it is.
    #[error(
        "query parameter `{0}` is missing; connect to e.g. `/ws?user=ann&key=chat-1&device=laptop`"
    )]
    Missing(&'static str),
    /// It says so twice.
    #[error("query parameter `{0}` is given more than once")]
    Repeated(&'static str),
    /// It says something else too.
    #[error("query parameter `{0}` is unknown; known are {known}", known = PARAMETERS.join(", "))]
    Unknown(String),
    /// A value is not one of those that are known.
    #[error("query parameter `{name}` must be one of {known}", known = known.join(", "))]
    Value {
        /// Which parameter.
        name: &'static str,
        /// What it may be.
        known: &'static [&'static str],
    },
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] InvalidId),
    /// The query is not one.
    #[error("the query is not valid percent-encoded UTF-8")]
    Query,
    /// The application's own check refused it.
    #[error("{0}")]
    Rejected(String),
}

impl Unidentified {
    /// The status it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) | Self::Rejected(_) => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Makes an identity of a request's head.
pub trait Identify: Send + Sync + 'static {
    /// Who it is.
    ///
    /// # Errors
    /// [`Unidentified`], whose text the client reads.
    fn identify(&self, parts: &Parts) -> Result<Identity, Unidentified>;
}

const PARAMETERS: [&str; 5] = ["user", "key", "device", "device-class", "class"];
const DEVICE_CLASSES: [&str; 4] = ["unknown", "desktop", "mobile", "server"];
const CLASSES: [&str; 2] = ["standard", "premium"];

/// Takes everybody's word for who they are: `user`, `key`, `device`, `device-class` and `class`
/// from the query. For development; the configuration allows it on loopback only.
///
/// Without a `device` every connection is a device of its own; without a `key` the manager is named
/// after the device, or `default`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DevIdentity;

impl Identify for DevIdentity {
    fn identify(&self, parts: &Parts) -> Result<Identity, Unidentified> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Unidentified::Query)?
            .0;
        // Bytes that are not UTF-8 come out as this; different ones would make one user.
        if pairs.iter().any(|(_, value)| value.contains('\u{fffd}')) {
            return Err(Unidentified::Query);
        }
        if let Some((name, _)) = pairs
            .iter()
            .find(|(name, _)| !PARAMETERS.contains(&name.as_str()))
        {
            return Err(Unidentified::Unknown(name.clone()));
        }
        let value = |name: &'static str| {
            let mut values = pairs.iter().filter(|(other, _)| other == name);
            let value = values.next().map(|(_, value)| value.as_str());
            if values.next().is_some() {
                Err(Unidentified::Repeated(name))
            } else {
                Ok(value)
            }
        };
        let user = UserId::new(value("user")?.ok_or(Unidentified::Missing("user"))?)?;
        let device = value("device")?;
        let key = ManagerKey::new(value("key")?.or(device).unwrap_or("default"))?;
        let device = match device {
            Some(device) => DeviceId::new(device)?,
            None => DeviceId::new(&format!("anonymous-{}", crate::types::ConnectionId::next()))?,
        };
        let device_class = match value("device-class")? {
            None | Some("unknown") => DeviceClass::Unknown,
            Some("desktop") => DeviceClass::Desktop,
            Some("mobile") => DeviceClass::Mobile,
            Some("server") => DeviceClass::Server,
            Some(_) => {
                return Err(Unidentified::Value {
                    name: "device-class",
                    known: &DEVICE_CLASSES,
                });
            }
        };
        let protected = match value("class")? {
            None | Some("standard") => false,
            Some("premium") => true,
            Some(_) => {
                return Err(Unidentified::Value {
                    name: "class",
                    known: &CLASSES,
                });
            }
        };
        Ok(Identity {
            user,
            key,
            device,
            device_class,
            protected,
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn identify(query: &str) -> Result<Identity, String> {
        let request = Request::get(format!("/ws?{query}")).body(()).unwrap();
        DevIdentity
            .identify(&request.into_parts().0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn takes_names_from_the_query() {
        let identity =
            identify("user=ann%20b&key=k&device=d&device-class=mobile&class=premium").unwrap();
        assert_eq!(
            (identity.user.as_str(), identity.key.as_str()),
            ("ann b", "k")
        );
        assert_eq!(
            (identity.device_class, identity.protected),
            (DeviceClass::Mobile, true)
        );
        assert_eq!(identify("user=ann&device=d").unwrap().key.as_str(), "d");
        let (one, two) = (identify("user=ann").unwrap(), identify("user=ann").unwrap());
        assert_eq!(one.key, two.key);
        assert_ne!(one.device, two.device);
    }

    #[test]
    fn bad_queries_say_what_to_mend() {
        let long = format!("user={}", "u".repeat(257));
        let cases = [
            (
                "",
                "query parameter `user` is missing; connect to e.g. `/ws?user=ann&key=chat-1&device=laptop`",
            ),
            ("user=", "`user` is empty; give it at least one character"),
            (
                "user=a&user=b",
                "query parameter `user` is given more than once",
            ),
            (
                "user=a&usr=b",
                "query parameter `usr` is unknown; known are user, key, device, device-class, class",
            ),
            (
                "user=a%0Ab",
                "`user` has a control character at byte 1; use printable characters only",
            ),
            (&long, "`user` has 257 bytes; at most 256 are allowed"),
            (
                "user=a&key=",
                "`key` is empty; give it at least one character",
            ),
            (
                "user=a&device-class=toaster",
                "query parameter `device-class` must be one of unknown, desktop, mobile, server",
            ),
            ("user=%ff", "the query is not valid percent-encoded UTF-8"),
            (
                "user=a&class=vip",
                "query parameter `class` must be one of standard, premium",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(identify(query).unwrap_err(), expected, "{query}");
        }
    }
}
