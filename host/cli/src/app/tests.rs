//! Reading the settings again, on everything but the signal itself.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;
use crate::config::tests::reread::changes;
use wastegate::manager::NoApplication;

/// The settings that the gateway uses are the new ones, for every key that the table calls live; and no
/// key is called live that is outside what a reload reads.
#[tokio::test]
async fn a_reload_takes_every_live_key_over() {
    let (started, changes) = changes();
    let old = &started.config;
    let mut config = old.clone();
    // The policy does not have the parameter.
    config.ranking.params.clear();
    let application = NoApplication;
    let core = Core::build(config, application, identify(old).unwrap()).await;
    let core = core.unwrap();
    for change in changes.iter().filter(|change| change.is_live) {
        let new = change.changed.on(&started).unwrap().taken.config;
        let is_read = new.gateway != old.gateway || new.identity != old.identity;
        assert!(is_read, "`{}` is live, but no reload reads it", change.key);
        core.reload(&new, identify(&new).unwrap()).unwrap();
        assert_eq!(*core.gateway().config(), new.gateway, "{}", change.key);
    }
}

#[tokio::test]
async fn new_connections_have_the_new_limits_of_request_heads() {
    let mut config = ProgramConfig::default();
    config.server.listen.set_port(0);
    config.admin = AdminListener::Off;
    let mut stricter = config.clone();
    stricter.gateway.headers_max = 16;
    let identity = identify(&config).unwrap();
    let app = App::build(config, NoApplication, identity.clone()).await;
    let app = app.unwrap();
    let (address, gateway) = (app.address().unwrap(), app.core().gateway().clone());
    let (asked, stop) = (Notify::new(), Notify::new());
    let settings = || Some((stricter.clone(), identity.clone()));
    let run = app.run_reloading(stop.notified(), || asked.notified(), settings);
    let client = async {
        assert!(!answer(address).await.unwrap().starts_with("HTTP/1.1 431"));
        asked.notify_one();
        while gateway.config().headers_max != 16 {
            tokio::task::yield_now().await;
        }
        assert!(answer(address).await.unwrap().starts_with("HTTP/1.1 431"));
        stop.notify_one();
    };
    tokio::join!(run, client);
}

/// What a request with twenty headers is answered.
async fn answer(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let headers = "x-one: 1\r\n".repeat(18);
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    Ok(answer)
}
