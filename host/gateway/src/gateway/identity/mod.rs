//! Who is it. Whatever proves it stays in here; what comes out is checked and typed.
//!
//! [`Identify`] is the seam: [`DevIdentity`] believes everybody, `jwt` checks tokens by keys,
//! `hook` asks a service, [`forwarded`] believes headers of named proxies, [`session`] takes an
//! application's own cookie, [`address`] the client's address. How a client hands its token over is
//! `token`'s matter, what claims mean is [`claims`]', and where a client names its manager and
//! device is a list of [`place`]s.
//!
//! Not here: whether it may enter (`admission`).

pub mod address;
pub mod claims;
mod config;
mod dev;
pub mod forwarded;
#[cfg(feature = "hook")]
pub mod hook;
mod identifiers;
#[cfg(feature = "jwt")]
pub mod jwt;
mod names;
pub mod place;
pub mod session;
#[cfg(any(feature = "jwt", feature = "hook"))]
pub mod token;

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use ipnet::IpNet;

use wastegate_core::signals::DeviceClass;
use wastegate_core::types::{
    Clock, DeviceId, InvalidId, ManagerKey, Timestamp, TokenFacts, UserId,
};

pub use config::{Config, Mode};
pub use dev::{DevIdentity, Reach};
pub use identifiers::Identifiers;
pub use names::Naming;

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
    /// The priority of its manager, if the identity provider sets one; higher is more important.
    pub priority: Option<i32>,
    /// How many managers its user may hold; none for the limit of the gateway.
    pub managers_max: Option<u32>,
    /// When what proves it expires, milliseconds since the Unix epoch. Its connection ends then,
    /// after a grace.
    pub expires_unix_ms: Option<u64>,
    /// By what its token can be revoked; none if no token proves who it is.
    pub token: Option<TokenFacts>,
    /// It came with a token that a page of another origin cannot make a browser send.
    pub by_token: bool,
}

impl Identity {
    /// A client of which nothing but these names is known.
    #[must_use]
    pub const fn new(user: UserId, key: ManagerKey, device: DeviceId) -> Self {
        Self {
            user,
            key,
            device,
            device_class: DeviceClass::Unknown,
            protected: false,
            priority: None,
            managers_max: None,
            expires_unix_ms: None,
            token: None,
            by_token: false,
        }
    }
}

/// Why a request has no valid identity. The text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum Unidentified {
    /// The request does not say who it is.
    #[error(
        "query parameter `{0}` is missing; connect to e.g. `/ws?user=ann&key=chat-1&device=laptop`"
    )]
    Missing(&'static str),
    /// It says two things in one place.
    #[error("{0} is given more than once")]
    Repeated(String),
    /// It says something else too.
    #[error("query parameter `{name}` is unknown; known are {known}", known = known.join(", "))]
    Unknown {
        name: String,
        /// Those that are understood.
        known: Vec<String>,
    },
    /// A value is not one of those that are known.
    #[error("query parameter `{name}` must be one of {known}", known = known.join(", "))]
    Value {
        name: &'static str,
        /// What it may be.
        known: &'static [&'static str],
    },
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] InvalidId),
    /// Bytes where a name should be.
    #[error("{0} is not UTF-8; encode the name as UTF-8")]
    NoText(String),
    /// The query is not one.
    #[error("the query is not valid percent-encoded UTF-8")]
    Query,
    /// A name could be taken for one of another route.
    #[error("`{0}` has `@@`, which stands between names and routes here; choose another name")]
    OfRoute(&'static str),
    /// The session's cookie is missing.
    #[error("cookie `{0}` is missing; sign in first")]
    NoSession(String),
    /// What proves it is missing or does not.
    #[error("{0}")]
    Rejected(String),
    /// It is known and may not come in.
    #[error("{0}")]
    Forbidden(String),
    /// What proves it is valid, and an operator has revoked it.
    #[error("this token was revoked; sign in again")]
    Revoked,
    /// The identity provider does not answer, so the client is refused.
    #[error("who you are cannot be checked at the moment; try again")]
    Unavailable,
}

impl Unidentified {
    /// A query parameter says two things.
    fn repeated(name: &str) -> Self {
        Self::Repeated(format!("query parameter `{name}`"))
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) | Self::NoSession(_) | Self::Rejected(_) | Self::Revoked => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// What comes of an identification.
pub type Identified<'a> = BoxFuture<'a, Result<Identity, Unidentified>>;

/// Makes an identity of a request's head.
pub trait Identify: Send + Sync + 'static {
    /// Who it is, or [`Unidentified`], whose text the client reads. What proves it may be taken out
    /// of the request: what is left is what a backend gets to see.
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a>;

    /// Whether any request is taken from there at all, one that is no upgrade included.
    ///
    /// # Errors
    /// [`Unidentified`], whose text the client reads.
    fn takes(&self, parts: &Parts) -> Result<(), Unidentified> {
        let _ = parts;
        Ok(())
    }

    /// When the set of keys by which tokens are checked was last read; none where there is no such set, and
    /// before the first was read.
    fn keys_read_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Why these settings could identify no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file of keys cannot be used.
    #[cfg(feature = "jwt")]
    #[error("the keys of `identity.jwt.keys_file` cannot be used")]
    Keys(#[source] jwt::KeysError),
    /// An HTTP client cannot be made.
    #[cfg(any(feature = "hook", feature = "jwt-url"))]
    #[error("an HTTP client for `{key}` cannot be made")]
    Client {
        /// The setting of the service that would have been asked.
        key: &'static str,
        /// What the client's builder reported.
        #[source]
        source: reqwest::Error,
    },
}

#[cfg(feature = "jwt")]
impl From<jwt::KeysError> for IdentityError {
    fn from(error: jwt::KeysError) -> Self {
        match error {
            #[cfg(feature = "jwt-url")]
            jwt::KeysError::Client(source) => Self::Client {
                key: "identity.jwt.keys_url",
                source,
            },
            error => Self::Keys(error),
        }
    }
}

/// The identification that these settings describe. `proxies` are believed in their headers; a request that is
/// `shared` is a backend's too: what nobody here understands is let through.
///
/// # Errors
/// [`IdentityError`] with the key to mend.
#[cfg_attr(
    not(any(feature = "jwt", feature = "hook")),
    expect(
        unused_variables,
        reason = "only what expires is compared with the clock"
    )
)]
pub fn by(
    config: &Config,
    proxies: &[IpNet],
    shared: bool,
    clock: Clock,
) -> Result<Arc<dyn Identify>, IdentityError> {
    let naming = Naming {
        key: config.key.clone(),
        device: config.device.clone(),
        shared,
    };
    let proxies = proxies.to_vec();
    Ok(match config.mode {
        Mode::Dev => Arc::new(DevIdentity {
            naming,
            ..DevIdentity::default()
        }),
        Mode::Address => Arc::new(address::Address::new(naming, proxies)),
        Mode::Cookie => Arc::new(session::SessionIdentity::new(
            &config.cookie,
            naming,
            proxies,
        )),
        #[cfg(feature = "jwt")]
        Mode::Jwt => Arc::new(jwt::Jwt::new(config, naming, clock)?),
        #[cfg(feature = "hook")]
        Mode::Hook => {
            let hook =
                hook::Hook::new(config, naming, clock).map_err(|source| IdentityError::Client {
                    key: "identity.hook.url",
                    source,
                })?;
            Arc::new(hook)
        }
        Mode::Headers => Arc::new(forwarded::Forwarded::new(config, naming, proxies)),
    })
}

impl fmt::Debug for dyn Identify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Identify")
    }
}
