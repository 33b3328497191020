//! Which route a request takes, and what its backend is asked for.

use axum::http::Request;

use super::*;
use crate::gateway::identity::DevIdentity;
use crate::gateway::upstream::Members;
use wastegate_core::types::{Clock, ConnectionRefs};

fn session() -> Arc<ConnectionContext> {
    Arc::new(ConnectionContext {
        config: crate::connection::Config::default(),
        health: crate::health::Config::default(),
        clock: Clock::system(),
        close_code: crate::gateway::close::code,
        refs: ConnectionRefs::new(1),
        notice: |_| None,
        faults: std::sync::Arc::default(),
        traffic: Arc::default(),
        listeners: crate::connection::EchoListeners::default(),
        budgets: crate::connection::Budgets::new(
            crate::connection::BudgetConfig::default(),
            wastegate_core::types::Clock::manual(),
        ),
    })
}

fn routes(change: impl FnOnce(&mut GatewayConfig)) -> Routes {
    let mut config = GatewayConfig::default();
    change(&mut config);
    let identify = Identifiers::from(Arc::new(DevIdentity::default()) as Arc<dyn Identify>);
    Routes::of(&config, &identify, &session(), &Members::new(1)).unwrap()
}

fn route(path: &str, host: Option<&str>) -> Config {
    Config {
        path: path.parse().unwrap(),
        host: host.map(|host| host.parse().unwrap()),
        upstream: vec!["ws://backend".parse().unwrap()],
        ..Config::default()
    }
}

fn taken(routes: &Routes, host: &str, path: &str) -> String {
    let request = Request::get(path).header("host", host).body(()).unwrap();
    let parts = request.into_parts().0;
    let found = routes.find(&parts).map(|route| route.name().to_owned());
    found.unwrap_or_else(|| "none".to_owned())
}

#[test]
fn a_named_host_comes_first_and_then_the_longest_path() {
    let routes = routes(|config| {
        config.routes = vec![
            route("/", Some("*.example")),
            route("/chat", None),
            route("/chat/admin", None),
            route("/", Some("chat.example")),
            route("/chat", Some("chat.example")),
        ];
    });
    for (host, path, expected) in [
        ("other.test", "/chat", "/chat"),
        ("other.test", "/chat/admin/x", "/chat/admin"),
        ("other.test", "/chatter", "none"),
        ("chat.example", "/chat/7", "chat.example/chat"),
        ("CHAT.example:8443", "/else", "chat.example/"),
        ("a.example", "/chat", "*.example/"),
        ("bad host", "/chat", "/chat"),
    ] {
        assert_eq!(taken(&routes, host, path), expected, "{host} {path}");
    }
}

#[test]
fn the_upstream_takes_what_no_route_does_and_the_application_has_one_path() {
    let with = |path: Option<&str>, upstream: bool| {
        routes(|config| {
            config.path = path.map(|path| path.parse().unwrap());
            if upstream {
                config.upstream = vec!["ws://backend".parse().unwrap()];
                config.routes = vec![route("/api", None)];
            }
        })
    };
    let all = with(None, true);
    assert_eq!(taken(&all, "h", "//x"), "/");
    assert_eq!(taken(&all, "h", "/api/v1"), "/api");
    let beneath = with(Some("/ws"), true);
    assert_eq!(taken(&beneath, "h", "/ws/7"), "/ws");
    assert_eq!(taken(&beneath, "h", "/x"), "none");
    let application = with(None, false);
    assert_eq!(taken(&application, "h", "/ws"), "/ws");
    assert_eq!(taken(&application, "h", "/ws/"), "none");
}

#[test]
fn what_is_cut_is_the_prefix_and_nothing_else() {
    let routes = routes(|config| {
        let stripped = Config {
            strip_prefix: true,
            ..route("/chat", None)
        };
        config.routes = vec![stripped, route("/keep", None)];
    });
    for (target, expected) in [
        ("/chat", "/"),
        ("/chat?", "/?"),
        ("/chat/", "/"),
        ("/chat//a%2Fb/?x=%20&y", "//a%2Fb/?x=%20&y"),
        ("/keep/x", "/keep/x"),
    ] {
        let mut parts = Request::get(target).body(()).unwrap().into_parts().0;
        let route = routes.find(&parts).unwrap().clone();
        route.cut(&mut parts.uri);
        assert_eq!(parts.uri.to_string(), expected, "{target}");
    }
}

#[test]
fn a_route_has_sizes_of_its_own() {
    let routes = routes(|config| {
        config.routes = vec![
            Config {
                message_bytes_max: Some(1_000),
                ..route("/small", None)
            },
            route("/usual", None),
        ];
    });
    let config = |path: &str| {
        let parts = Request::get(path).body(()).unwrap().into_parts().0;
        routes.find(&parts).unwrap().session.config.clone()
    };
    let small = config("/small");
    assert_eq!(
        (small.relayed_frame_bytes_max(), small.message_bytes_max),
        (1_000, 1_000)
    );
    assert_eq!(config("/usual"), session().config);
}
