//! Whether a request is meant for this listener, or for a foreign name that points at it (DNS rebinding).
//!
//! A page can have a name of its own resolve to this machine's loopback, and from then on it is of one
//! origin with whatever listens there ("DNS rebinding"): it reads and changes what the person in front
//! of the browser could. What it cannot do is send another `Host` than its own name, or another `Origin`
//! than its own. So a request has to be for an address of this listener, or a name that its operator
//! gave it.
//!
//! Probes and `/metrics` are answered whatever the `Host`: an orchestrator asks by the address of a pod,
//! and they say nothing of any user and change nothing.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::Admin;
use super::notes::Note;
use super::policies::refusal::Refusal;
use wastegate::gateway::authority::Authority;
use wastegate_core::types::host;

/// What is answered to requests for any host.
pub(super) const ANY_HOST: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// Of a foreign text, what is repeated, characters.
const REPEATED_MAX: usize = 100;

/// Which hosts requests may be for.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Where the listener is bound. None: it is not known, as where it is part of another server.
    listen: Option<IpAddr>,
    names: Vec<String>,
}

/// Why a request is not meant for this listener.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Foreign {
    Host(String),
    Origin(String),
}

impl Hosts {
    /// Of a listener that is bound there and has these names.
    #[must_use]
    pub fn new(listen: Option<IpAddr>, names: &[String]) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase());
        Self {
            listen,
            names: names.collect(),
        }
    }

    fn judge(&self, parts: &Parts) -> Result<(), Foreign> {
        let mut hosts = parts.headers.get_all(HOST).iter();
        let header = hosts.next().map(|host| host.as_bytes());
        let target = parts.uri.authority().map(|it| it.as_str().as_bytes());
        // A target with a host of its own counts before the header; both have to be ours.
        let named = match target.or(header) {
            Some(named) if hosts.next().is_none() => named,
            Some(_) => return Err(Foreign::Host("two of them".to_owned())),
            None => return Err(Foreign::Host(String::new())),
        };
        for host in [Some(named), header].into_iter().flatten() {
            let known = Authority::read(host).is_some_and(|host| self.is_ours(&host));
            if !known {
                return Err(Foreign::Host(repeated(host)));
            }
        }
        let ours = Authority::read(named);
        for origin in parts.headers.get_all(ORIGIN) {
            let same = ours
                .as_ref()
                .is_some_and(|ours| is_of(origin.as_bytes(), ours));
            if !same {
                return Err(Foreign::Origin(repeated(origin.as_bytes())));
            }
        }
        Ok(())
    }

    /// Whether a host is one of ours, at any port: a tunnel or a container may have another one.
    fn is_ours(&self, host: &Authority) -> bool {
        if host.is_loopback() || self.names.iter().any(|name| name == host.host()) {
            return true;
        }
        let Some(address) = host::literal(host.host()) else {
            return false;
        };
        match self.listen {
            // It is bound to every address, and a name is needed to make one point elsewhere.
            Some(listen) => listen.is_unspecified() || listen == address,
            None => false,
        }
    }
}

/// Whether an `Origin` is that of pages which this listener itself could have sent.
fn is_of(origin: &[u8], ours: &Authority) -> bool {
    let schemes = [("http://", 80), ("https://", 443)];
    schemes.into_iter().any(|(scheme, usual)| {
        let rest = origin.strip_prefix(scheme.as_bytes());
        let page = rest.and_then(Authority::read);
        page.is_some_and(|page| {
            page.host() == ours.host()
                && page.port().unwrap_or(usual) == ours.port().unwrap_or(usual)
        })
    })
}

fn repeated(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().take(REPEATED_MAX).collect()
}

impl Foreign {
    const fn word(&self) -> &'static str {
        match self {
            Self::Host(_) => "foreign-host",
            Self::Origin(_) => "foreign-origin",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Host(host) if host.is_empty() => {
                "the request names no `Host`: send the address of this listener".to_owned()
            }
            Self::Host(host) => format!(
                "`Host: {host}` is no name of the operators' listener, and a page that made a name of its own point here would send one like it: ask by the address in `admin.listen` or by `localhost`, or add the name, without its port, to `admin.hosts`"
            ),
            Self::Origin(origin) => format!(
                "`Origin: {origin}` is another one than that of this listener: no page of somebody else may ask operators' questions. Ask without a browser, or open the page from this listener"
            ),
        }
    }
}

/// Lets a request through that is meant for this listener.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && ANY_HOST.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Err(foreign) = admin.hosts.judge(&parts) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let (word, message) = (foreign.word(), foreign.message());
    admin.notes.report(Note::Foreign, &admin.clock, &message);
    Refusal::new(StatusCode::FORBIDDEN, word, message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(hosts: &Hosts, target: &str, headers: &[(&str, &str)]) -> Result<(), Foreign> {
        let mut request = axum::http::Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        hosts.judge(&request.body(()).unwrap().into_parts().0)
    }

    fn bound(to: &str) -> Hosts {
        Hosts::new(Some(to.parse().unwrap()), &["Desk.Example".to_owned()])
    }

    #[test]
    fn an_address_of_the_listener_or_a_name_that_it_was_given() {
        let takes =
            |hosts: &Hosts, host: &str| judged(hosts, "/v1/stats", &[("host", host)]).is_ok();
        let loopback = bound("127.0.0.1");
        for host in [
            "127.0.0.1",
            "127.0.0.1:9090",
            "127.9.9.9:1",
            "[::1]:9090",
            "localhost",
            "LOCALHOST:9090",
            "desk.example:443",
        ] {
            assert!(takes(&loopback, host), "{host}");
        }
        for host in [
            "rebind.example:9090",
            "10.0.0.1:9090",
            "127.0.0.1.rebind.example",
            "localhost.rebind.example",
            "127.0.0.1@rebind.example",
            "2130706433",
            "",
        ] {
            assert!(!takes(&loopback, host), "{host}");
        }
        assert!(takes(&bound("10.0.0.1"), "10.0.0.1:9090"));
        assert!(!takes(&bound("10.0.0.1"), "10.0.0.2:9090"));
        assert!(takes(&bound("0.0.0.0"), "10.0.0.2:9090"));
        assert!(takes(&bound("::"), "[fe80::1]:9090"));
        assert!(!takes(&bound("0.0.0.0"), "rebind.example"));
    }

    #[test]
    fn a_request_names_one_host_wherever_it_does() {
        let hosts = bound("127.0.0.1");
        assert!(judged(&hosts, "/v1/stats", &[]).is_err());
        let two = [("host", "localhost"), ("host", "rebind.example")];
        assert!(judged(&hosts, "/v1/stats", &two).is_err());
        let ours = [("host", "localhost")];
        assert!(judged(&hosts, "http://rebind.example/v1/stats", &ours).is_err());
        let theirs = [("host", "rebind.example")];
        assert!(judged(&hosts, "http://localhost/v1/stats", &theirs).is_err());
        assert!(judged(&hosts, "http://localhost/v1/stats", &ours).is_ok());
    }

    #[test]
    fn a_page_is_of_the_same_origin_or_may_not_ask() {
        let hosts = bound("127.0.0.1");
        let from = |origin: &str| {
            let headers = [("host", "127.0.0.1:9090"), ("origin", origin)];
            judged(&hosts, "/v1/stats", &headers).is_ok()
        };
        assert!(from("http://127.0.0.1:9090"));
        for origin in [
            "http://localhost:9090",
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://rebind.example:9090",
            "null",
            "",
            "file://127.0.0.1:9090",
        ] {
            assert!(!from(origin), "{origin}");
        }
        let proxied = [("host", "desk.example"), ("origin", "https://desk.example")];
        assert!(judged(&hosts, "/v1/stats", &proxied).is_ok());
    }
}
