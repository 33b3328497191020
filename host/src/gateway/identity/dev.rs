//! Identity for development: everybody is who they say they are.

use axum::http::request::Parts;

use super::{Identified, Identify, Identity, Names, Unidentified};
use crate::types::UserId;

const CLASSES: [&str; 2] = ["standard", "premium"];

/// Takes everybody's word for who they are: `user`, `key`, `device`, `device-class` and `class`
/// from the query. For development; the configuration allows it on loopback only.
#[derive(Debug, Clone, Copy, Default)]
pub struct DevIdentity {
    /// Parameters that are not known here belong to a backend and are no mistake.
    pub foreign_queries: bool,
}

impl Identify for DevIdentity {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(std::future::ready(self.read(parts)))
    }
}

impl DevIdentity {
    fn read(self, parts: &Parts) -> Result<Identity, Unidentified> {
        let names = Names::of(&parts.uri)?;
        if let Some(name) = names.unknown().filter(|_| !self.foreign_queries) {
            return Err(Unidentified::Unknown(name.to_owned()));
        }
        let user = UserId::new(names.value("user")?.ok_or(Unidentified::Missing("user"))?)?;
        let (key, device) = names.key_and_device()?;
        let protected = match names.value("class")? {
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
            device_class: names.device_class()?,
            protected,
            ..Identity::new(user, key, device)
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::manager::DeviceClass;

    fn identify(query: &str) -> Result<Identity, String> {
        let request = Request::get(format!("/ws?{query}")).body(()).unwrap();
        DevIdentity::default()
            .read(&request.into_parts().0)
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
        assert_ne!(one.key, two.key);
        assert_ne!(one.device, two.device);
        assert!(one.key.is_unnamed() && one.device.is_unnamed());
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

    /// In front of a backend, its own parameters are none of our business.
    #[test]
    fn parameters_of_a_backend_are_let_through() {
        let request = Request::get("/ws?user=ann&room=7").body(()).unwrap();
        let parts = request.into_parts().0;
        let foreign_queries = true;
        assert!(DevIdentity { foreign_queries }.read(&parts).is_ok());
        assert!(DevIdentity::default().read(&parts).is_err());
    }
}
