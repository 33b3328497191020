//! What caused a failed upgrade: the backend, the gateway, or neither because the backend answered.

use std::io;

use axum::http::StatusCode;

use super::UpstreamError;

/// What of ours is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::gateway) enum Shortage {
    /// Local ports (`net.ipv4.ip_local_port_range`).
    Ports,
    /// Descriptors of this process or of the machine.
    Descriptors,
    /// Memory of the kernel.
    Memory,
}

impl Shortage {
    /// The shortage that an error of the system reports, if it does.
    pub(in crate::gateway) fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            libc::EADDRNOTAVAIL => Some(Self::Ports),
            libc::EMFILE | libc::ENFILE => Some(Self::Descriptors),
            libc::ENOBUFS | libc::ENOMEM => Some(Self::Memory),
            _ => None,
        }
    }

    /// What an operator reads, with the remedy.
    pub(in crate::gateway) const fn words(self) -> &'static str {
        match self {
            Self::Ports => {
                "no local port is left to connect from: widen net.ipv4.ip_local_port_range, or give the \
                 backend another address"
            }
            Self::Descriptors => {
                "no descriptor is left to connect with: raise the limit of open files"
            }
            Self::Memory => "the kernel has no memory left for another socket",
        }
    }
}

/// Where the cause of a failed upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Blame {
    /// In the backend: it counts against it, and another one may be tried.
    Backend,
    /// In this machine: another backend may be tried, and none is blamed.
    Ours(Shortage),
    /// Nowhere: the backend answered, and its answer is for the client.
    Answer,
}

impl UpstreamError {
    /// Where the cause is, if answers of these statuses say that a backend is sick.
    pub(super) fn blame(&self, unhealthy: &[StatusCode]) -> Blame {
        match self {
            Self::Connect(error) => Shortage::of(error).map_or(Blame::Backend, Blame::Ours),
            // It is an answer, of which we take no more: another backend would answer the same.
            Self::Http(error) if error.is_parse_too_large() => Blame::Answer,
            Self::Refused(refusal) if !unhealthy.contains(&refusal.status()) => Blame::Answer,
            _ => Blame::Backend,
        }
    }

    /// Whether the backend could not be reached at all.
    pub(super) const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect(_))
    }

    /// How much a client learns from it: of several failures it gets the most telling.
    pub(super) const fn telling(&self) -> u8 {
        match self {
            Self::Refused(_) => 2,
            Self::Timeout(_) => 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::upstream::BackendRefusal;

    fn answered(status: StatusCode) -> UpstreamError {
        let mut response = axum::http::Response::new(axum::body::Body::empty());
        *response.status_mut() = status;
        UpstreamError::Refused(Box::new(BackendRefusal::new(response)))
    }

    fn system(code: i32) -> UpstreamError {
        UpstreamError::Connect(io::Error::from_raw_os_error(code))
    }

    #[test]
    fn a_shortage_of_ours_is_not_blamed_on_a_backend() {
        let sick = [StatusCode::SERVICE_UNAVAILABLE];
        for (error, blame) in [
            (system(libc::ECONNREFUSED), Blame::Backend),
            (system(libc::EADDRNOTAVAIL), Blame::Ours(Shortage::Ports)),
            (system(libc::EMFILE), Blame::Ours(Shortage::Descriptors)),
            (UpstreamError::Timeout(Duration::ZERO), Blame::Backend),
            (UpstreamError::Handshake("no"), Blame::Backend),
            (answered(sick[0]), Blame::Backend),
            (answered(StatusCode::UNAUTHORIZED), Blame::Answer),
        ] {
            assert_eq!(error.blame(&sick), blame, "{error}");
        }
    }
}
