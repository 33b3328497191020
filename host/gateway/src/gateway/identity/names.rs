//! What a client may say of itself: names of its own managers and devices, and what it runs on.

use axum::extract::Query;
use axum::http::Uri;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::Unidentified;
use super::place::{NamePlace, NameValue, of_all};
use wastegate_core::signals::DeviceClass;
use wastegate_core::types::{DeviceId, InvalidId, ManagerKey};

const DEVICE_CLASSES: [&str; 4] = ["unknown", "desktop", "mobile", "server"];
/// What bytes that are not UTF-8 are decoded to.
const REPLACEMENT: char = '\u{fffd}';

/// Where clients name their managers and devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Where a manager is named; the first place that has a name counts.
    pub key: Vec<NamePlace>,
    /// Where a device is named; the first place that has a name counts.
    pub device: Vec<NamePlace>,
    /// The request is a backend's as well: what we do not understand is the backend's and no
    /// mistake, and what cannot be a name is none.
    pub shared: bool,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            key: vec![NamePlace::Query("key".to_owned())],
            device: vec![NamePlace::Query("device".to_owned())],
            shared: false,
        }
    }
}

/// What a client calls itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) key: Option<ManagerKey>,
    pub(super) device: Option<DeviceId>,
    pub(super) class: DeviceClass,
}

impl Named {
    /// The manager and the device. Without a device none is assumed; without a key the manager is
    /// named after the device, and where there is none either, the connection is a manager of its
    /// own.
    pub(super) fn key_and_device(self) -> Result<(ManagerKey, DeviceId), InvalidId> {
        let key = match (self.key, &self.device) {
            (Some(key), _) => key,
            (None, Some(device)) => ManagerKey::new(device.as_str())?,
            (None, None) => ManagerKey::unnamed(),
        };
        Ok((key, self.device.unwrap_or_else(DeviceId::unnamed)))
    }
}

impl Naming {
    /// What a request says, with the claims of what proves who it is from.
    ///
    /// # Errors
    /// [`Unidentified`] when a name cannot be used and the request is ours alone, or when it is
    /// reserved.
    pub(super) fn read(
        &self,
        parts: &Parts,
        claims: Option<&Map<String, Value>>,
    ) -> Result<Named, Unidentified> {
        let names = Names::of(&parts.uri);
        if !self.shared
            && names
                .pairs
                .iter()
                .any(|(_, value)| value.contains(REPLACEMENT))
        {
            return Err(Unidentified::Query);
        }
        let find = |places: &[NamePlace]| {
            let mut found = places.iter().map(|place| {
                let value = place.read(parts, &names, claims);
                self.usable(place, value)
            });
            found.find_map(Result::transpose).transpose()
        };
        let key = find(&self.key)?.map(|key| ManagerKey::new(&key));
        let device = find(&self.device)?.map(|device| DeviceId::new(&device));
        Ok(Named {
            key: key.transpose()?,
            device: device.transpose()?,
            class: self.device_class(&names)?,
        })
    }

    /// What stands at a place, if it can be a name.
    fn usable(&self, place: &NamePlace, value: NameValue) -> Result<Option<String>, Unidentified> {
        match value {
            NameValue::Missing => Ok(None),
            NameValue::Conflicting if self.shared => Ok(None),
            NameValue::Conflicting => Err(Unidentified::Repeated(place.to_string())),
            NameValue::One(text) if text.contains(REPLACEMENT) => {
                Err(Unidentified::NoText(place.to_string()))
            }
            // A backend's own parameter may be empty, or long. One with characters that nobody sees is
            // refused whoever reads it.
            NameValue::One(text) if self.shared => match ManagerKey::held(&text) {
                Err(
                    InvalidId::Empty { .. } | InvalidId::TooLong { .. } | InvalidId::Dots { .. },
                ) => Ok(None),
                _ => Ok(Some(text)),
            },
            NameValue::One(text) => Ok(Some(text)),
        }
    }

    fn device_class(&self, names: &Names) -> Result<DeviceClass, Unidentified> {
        let unknown = Unidentified::Value {
            name: "device-class",
            known: &DEVICE_CLASSES,
        };
        match names.value("device-class", self.shared)?.as_deref() {
            None | Some("unknown") => Ok(DeviceClass::Unknown),
            Some("desktop") => Ok(DeviceClass::Desktop),
            Some("mobile") => Ok(DeviceClass::Mobile),
            Some("server") => Ok(DeviceClass::Server),
            Some(_) if self.shared => Ok(DeviceClass::Unknown),
            Some(_) => Err(unknown),
        }
    }

    /// A parameter that is not understood, if there is one and it is no backend's, and those that are.
    pub(super) fn unknown(&self, names: &Names) -> Option<(String, Vec<String>)> {
        if self.shared {
            return None;
        }
        let places = self.key.iter().chain(&self.device);
        let named = places.filter_map(|place| match place {
            NamePlace::Query(name) => Some(name.as_str()),
            _ => None,
        });
        let mut known = vec!["user"];
        known.extend(named);
        known.extend(["device-class", "class"]);
        let mut names = names.pairs.iter().map(|(name, _)| name.as_str());
        let unknown = names.find(|name| !known.contains(name))?.to_owned();
        Some((unknown, known.into_iter().map(str::to_owned).collect()))
    }
}

/// A query's parameters, decoded.
pub(super) struct Names {
    pairs: Vec<(String, String)>,
}

impl Names {
    /// Reads the names and values of a request's query.
    pub(super) fn of(uri: &Uri) -> Self {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
        Self {
            pairs: pairs.map(|pairs| pairs.0).unwrap_or_default(),
        }
    }

    /// The values of a parameter.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = String> {
        let pairs = self.pairs.iter().filter(move |(other, _)| other == name);
        pairs.map(|(_, value)| value.clone())
    }

    /// A parameter that may be given once. In a request that is `shared`, given differently it is
    /// not ours.
    pub(super) fn value(&self, name: &str, shared: bool) -> Result<Option<String>, Unidentified> {
        match of_all(self.values(name)) {
            NameValue::Missing => Ok(None),
            NameValue::One(value) => Ok(Some(value)),
            NameValue::Conflicting if shared => Ok(None),
            NameValue::Conflicting => Err(Unidentified::repeated(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn named(naming: &Naming, uri: &str) -> Result<(String, String), String> {
        let parts = Request::get(uri).body(()).unwrap().into_parts().0;
        let named = naming
            .read(&parts, None)
            .map_err(|error| error.to_string())?;
        let (key, device) = named.key_and_device().unwrap();
        let show = |unnamed: bool, name: &str| if unnamed { "-" } else { name }.to_owned();
        Ok((
            show(key.is_unnamed(), key.as_str()),
            show(device.is_unnamed(), device.as_str()),
        ))
    }

    #[test]
    fn the_first_place_that_has_a_name_counts() {
        let naming = Naming {
            key: ["query:tab", "path:2"]
                .map(|place| place.parse().unwrap())
                .to_vec(),
            ..Naming::default()
        };
        for (uri, key, device) in [
            ("/ws/7?tab=a&device=d", "a", "d"),
            ("/ws/7?device=d", "7", "d"),
            ("/ws?device=d", "d", "d"),
            ("/ws", "-", "-"),
        ] {
            let found = named(&naming, uri).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_str()), (key, device), "{uri}");
        }
    }

    /// In front of a backend its own parameters are no mistakes, whatever they are.
    #[test]
    fn a_request_that_is_shared_is_not_refused_for_what_means_something_else() {
        let shared = Naming {
            shared: true,
            ..Naming::default()
        };
        let long = format!("/ws?key={}", "k".repeat(300));
        for uri in [
            "/ws?key=&device=",
            "/ws?key=a&key=b&device=",
            "/ws?device-class=5&x=%ff",
            &long,
        ] {
            let unnamed = ("-".to_owned(), "-".to_owned());
            assert_eq!(named(&shared, uri), Ok(unnamed), "{uri}");
            assert!(named(&Naming::default(), uri).is_err(), "{uri}");
        }
        for naming in [shared.clone(), Naming::default()] {
            for uri in [
                "/ws?key=%00",
                "/ws?key=%ff",
                "/ws?device=%20d",
                "/ws?key=%e2%80%ae",
            ] {
                assert!(named(&naming, uri).is_err(), "{uri}");
            }
            let refused = named(&naming, "/ws?key=unnamed-1").unwrap_err();
            assert!(refused.contains("reserved"), "{refused}");
        }
    }
}
