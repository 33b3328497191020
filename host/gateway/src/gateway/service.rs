//! The gateway as a tower service, so that it nests in routers and under layers.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tower::Service;

use super::Gateway;

/// [`Gateway::upgrade`] as a tower service. Cheap to clone, and always ready: how many upgrades may wait is
/// for admission to say. A layer around it can leave in the request's extensions what the gateway's
/// [`Identify`](super::Identify) goes by.
///
/// ```
/// # fn routes(gateway: std::sync::Arc<wastegate::gateway::Gateway>) -> axum::Router {
/// axum::Router::new().route_service("/ws", gateway.service())
/// # }
/// ```
#[derive(Clone)]
pub struct GatewayService(Arc<Gateway>);

impl GatewayService {
    pub(super) const fn new(gateway: Arc<Gateway>) -> Self {
        Self(gateway)
    }
}

impl<B> Service<Request<B>> for GatewayService {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let gateway = self.0.clone();
        // An upgrade has no body.
        let request = request.map(|_| Body::empty());
        Box::pin(async move { Ok(gateway.upgrade(request).await) })
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayService")
    }
}
