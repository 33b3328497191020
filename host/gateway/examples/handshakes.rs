//! What spans cost: a number of handshakes, one after another and each with the end of its connection, in one process
//! with one thread, to be counted in instructions. The figures are in `docs/performance.md`.
//!
//! ```sh
//! cargo build --release -p wastegate --example handshakes
//! valgrind --tool=callgrind target/release/examples/handshakes 2000 off      # or `none`, or `all`
//! ```
//!
//! The difference between 2,000 and 1,000 is that of 1,000 handshakes, client and end included.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wastegate::embed::Builder;
use wastegate::gateway::{DevIdentity, close};
use wastegate::manager::NoApplication;
use wastegate::observe::pseudonym::{PseudonymKey, Pseudonymizer};
use wastegate::observe::spans::{ParentTrust, SpanRecord, SpanSink, Spans, SpansParts};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// A Close with the code 1000, masked by zeros.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

/// Drops every span: what a collector costs is not counted.
struct Nowhere;

impl SpanSink for Nowhere {
    fn ended(&self, _: SpanRecord) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(count), Some(mode), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("give a number of handshakes, and off, none (of them traced) or all".into());
    };
    let ratio = match mode.as_str() {
        "off" => None,
        "none" => Some(0.0),
        "all" => Some(1.0),
        other => return Err(format!("off, none or all, and not {other:?}").into()),
    };
    let embedded = Builder::new(NoApplication)
        .identify(DevIdentity::default())
        .build()?;
    if let Some(ratio) = ratio {
        embedded.gateway.traced_by(Spans::new(SpansParts {
            sink: Arc::new(Nowhere),
            clock: embedded.clock.clone(),
            pseudonyms: Pseudonymizer::new(PseudonymKey::from_bytes([7; 16])),
            ratio,
            parents: ParentTrust::None,
            close_code: |reason| close::code(reason).0,
            seed: 7,
        }));
    }
    let routes = Router::<()>::new().route_service("/ws", embedded.gateway.service());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let clients = async {
        let count: u32 = count.parse()?;
        for number in 0..count {
            let mut client = TcpStream::connect(address).await?;
            let request = format!(
                "GET /ws?user=u{}&key=k HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
                 connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n",
                number % 50
            );
            client.write_all(request.as_bytes()).await?;
            let mut answer = [0; 512];
            let length = client.read(&mut answer).await?;
            if !answer.starts_with(b"HTTP/1.1 101 ") {
                let answer = answer.get(..length).unwrap_or_default();
                return Err(String::from_utf8_lossy(answer).into());
            }
            client.write_all(&CLOSE).await?;
            while client.read(&mut answer).await? > 0 {}
        }
        Ok(())
    };
    tokio::select! {
        served = axum::serve(listener, routes) => Ok(served?),
        done = clients => done,
    }
}
