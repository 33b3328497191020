//! An upgrade as an axum extractor: a handler of an embedding server says who its client is.
//!
//! The order of checks is that of every upgrade. Taking the extractor charges the request to its client and
//! checks the handshake; [`Upgrade::admit`] checks the origin and asks admission. So a handler that takes it
//! first spends nothing on a request that is refused in any case.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;

use super::identity::Identity;
use super::passage::OnPassage;
use super::upgrade::Opening;
use super::{Gateway, front};

/// A request for a WebSocket whose handshake is accepted, and whose client the handler names.
///
/// The router's state has to give an `Arc<Gateway>` ([`FromRef`]); an `Arc<Gateway>` or an
/// [`Embedded`](crate::embed::Embedded) as the state does. Take the extractor before those that cost
/// something, such as a look at a database.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::extract::{FromRef, Path, State};
/// use axum::http::StatusCode;
/// use axum::response::Response;
/// use axum::routing::get;
/// use wastegate::gateway::{Gateway, Identity, Upgrade};
/// use wastegate_core::types::{DeviceId, ManagerKey, UserId};
///
/// #[derive(Clone)]
/// struct App {
///     gateway: Arc<Gateway>,
///     owner: String,
/// }
///
/// impl FromRef<App> for Arc<Gateway> {
///     fn from_ref(app: &App) -> Self {
///         app.gateway.clone()
///     }
/// }
///
/// async fn room(
///     upgrade: Upgrade,
///     State(app): State<App>,
///     Path(room): Path<String>,
/// ) -> Result<Response, StatusCode> {
///     let user = UserId::new(&app.owner).map_err(|_| StatusCode::UNAUTHORIZED)?;
///     let room = ManagerKey::new(&room).map_err(|_| StatusCode::NOT_FOUND)?;
///     let identity = Identity::new(user, room, DeviceId::unnamed());
///     Ok(upgrade.admit(identity).await)
/// }
///
/// let routes: axum::Router<App> = axum::Router::new().route("/rooms/{room}", get(room));
/// # drop(routes);
/// ```
#[must_use = "an upgrade that is not admitted is never answered with 101"]
pub struct Upgrade(Opening);

impl Upgrade {
    /// Answers for this client, once admission has decided: with 101, after which its connection runs by
    /// itself, or with a refusal that says why. Return the response as it is.
    ///
    /// The identity is trusted. A page of a foreign origin is refused unless
    /// [`Identity::by_token`] is set, which only a proof deserves that a browser does not send by itself;
    /// a cookie is none.
    pub async fn admit(self, identity: Identity) -> Response {
        let gateway = self.0.gateway.clone();
        let response = self.0.answer_as(identity).await;
        gateway.noted(response)
    }

    /// The head of the request. A gateway in front of backends forwards what is in it when the client is
    /// admitted: take out what proves who the client is and is not for the backend.
    pub fn head_mut(&mut self) -> &mut Parts {
        &mut self.0.parts
    }
}

impl<S> FromRequestParts<S> for Upgrade
where
    Arc<Gateway>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = UpgradeRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let gateway = Arc::<Gateway>::from_ref(state);
        let head = parts.clone();
        // What can be used once belongs to the upgrade.
        parts.extensions.remove::<OnUpgrade>();
        parts.extensions.remove::<OnPassage>();
        match front::open(gateway.clone(), head) {
            Ok(opening) => Ok(Self(opening)),
            Err(refusal) => Err(UpgradeRefusal(Box::new(gateway.noted(*refusal)))),
        }
    }
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Upgrade")
    }
}

/// The answer to a request that is no upgrade, or one too many of its client.
#[derive(Debug)]
pub struct UpgradeRefusal(Box<Response>);

impl UpgradeRefusal {
    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }
}

impl IntoResponse for UpgradeRefusal {
    fn into_response(self) -> Response {
        *self.0
    }
}
