//! What a client may say of itself in the query: names of its own managers and devices.

use axum::extract::Query;
use axum::http::Uri;

use super::Unidentified;
use crate::manager::DeviceClass;
use crate::types::{DeviceId, ManagerKey};

/// What is understood in a query.
pub(super) const PARAMETERS: [&str; 5] = ["user", "key", "device", "device-class", "class"];
const DEVICE_CLASSES: [&str; 4] = ["unknown", "desktop", "mobile", "server"];

/// A query's parameters, decoded.
pub(in crate::gateway) struct Names {
    pairs: Vec<(String, String)>,
}

impl Names {
    /// Reads them.
    ///
    /// # Errors
    /// [`Unidentified::Query`].
    pub(in crate::gateway) fn of(uri: &Uri) -> Result<Self, Unidentified> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Unidentified::Query)?
            .0;
        // Bytes that are not UTF-8 come out as this; different ones would make one user.
        if pairs.iter().any(|(_, value)| value.contains('\u{fffd}')) {
            return Err(Unidentified::Query);
        }
        Ok(Self { pairs })
    }

    /// A parameter that nobody here knows.
    pub(super) fn unknown(&self) -> Option<&str> {
        let mut names = self.pairs.iter().map(|(name, _)| name.as_str());
        names.find(|name| !PARAMETERS.contains(name))
    }

    /// A parameter, which may be given once.
    pub(super) fn value(&self, name: &'static str) -> Result<Option<&str>, Unidentified> {
        let mut values = self.pairs.iter().filter(|(other, _)| other == name);
        let value = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            Some(_) => Err(Unidentified::Repeated(name)),
            None => Ok(value),
        }
    }

    /// The manager and the device, as far as the client names them. Without a `device` none is
    /// assumed; without a `key` the manager is named after the device, and where there is none either,
    /// the connection is a manager of its own.
    pub(super) fn key_and_device(&self) -> Result<(ManagerKey, DeviceId), Unidentified> {
        let device = self.value("device")?;
        let key = match self.value("key")?.or(device) {
            Some(key) => ManagerKey::new(key)?,
            None => ManagerKey::unnamed(),
        };
        let device = match device {
            Some(device) => DeviceId::new(device)?,
            None => DeviceId::unnamed(),
        };
        Ok((key, device))
    }

    pub(super) fn device_class(&self) -> Result<DeviceClass, Unidentified> {
        Ok(match self.value("device-class")? {
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
        })
    }
}
