//! What the span of a connection to a backend says of it.

use super::open::UpstreamConnection;
use super::{Upstream, UpstreamError};
use crate::observe::spans;

impl UpstreamConnection {
    /// Notes which backend upgraded.
    pub(in crate::gateway) fn note(&self) {
        if let Some(upstream) = self.backend() {
            note_backend(upstream);
        }
        spans::note("http.response.status_code", || 101_u16);
    }
}

fn note_backend(upstream: &Upstream) {
    spans::note("server.address", || upstream.host().to_owned());
    spans::note("server.port", || upstream.port());
}

impl UpstreamError {
    /// Notes why no backend did.
    pub(in crate::gateway) fn note(&self) {
        spans::failed(match self {
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Http(_) => "http",
            Self::Refused(_) => "refused",
            Self::Handshake(_) => "handshake",
        });
        if let Self::Refused(refusal) = self {
            spans::note("http.response.status_code", || refusal.status().as_u16());
        }
    }
}
