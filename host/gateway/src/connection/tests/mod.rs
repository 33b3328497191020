//! One connection over an in-memory pipe, with a WebSocket client, or just bytes, at its other end.

mod budgets;
mod ends;
mod heartbeat;
mod pressure;
mod violations;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

use super::*;
use crate::manager::{Application, ECHO_DEADLINES, EndReport, Manager, Message, Port};
use crate::testing::{Setup, World, settle};
use wastegate_core::types::{CloseReason, ConnectionRefs, DeviceId};

/// A client that speaks WebSocket.
type Socket = WebSocketStream<DuplexStream>;

/// One connection and its far end.
struct Line {
    world: World,
    session: Arc<ConnectionContext>,
    port: Arc<Port>,
    manager: Arc<Manager>,
    ended: JoinHandle<EndReport>,
}

/// How a line is set up.
struct Wiring {
    config: Config,
    notices: bool,
    /// What the pipe holds in either direction before a write has to wait.
    pipe_bytes: usize,
    setup: Setup,
    leftover: Bytes,
    budget: BudgetConfig,
}

impl Default for Wiring {
    fn default() -> Self {
        Self {
            config: Config::default(),
            notices: false,
            pipe_bytes: 64 * 1_024,
            setup: Setup::default(),
            leftover: Bytes::new(),
            budget: BudgetConfig::default(),
        }
    }
}

impl Wiring {
    fn with_application(application: impl Application) -> Self {
        let mut wiring = Self::default();
        wiring.setup.application = application.into();
        wiring
    }

    /// Runs the connection; the far end is bare bytes.
    fn bare(self) -> (Line, DuplexStream) {
        let (near, peer_socket) = tokio::io::duplex(self.pipe_bytes);
        let world = self.setup.build();
        let session = Arc::new(ConnectionContext {
            config: self.config.clone(),
            health: world.health.clone(),
            clock: world.clock.clone(),
            close_code: crate::gateway::close::code,
            refs: ConnectionRefs::new(1),
            notice: crate::gateway::notice::farewell,
            faults: Arc::default(),
            traffic: Arc::default(),
            listeners: crate::connection::EchoListeners::default(),
            budgets: Budgets::new(self.budget, world.clock.clone()),
        });
        let permit = world.permit("ann", 0);
        let manager = permit.manager().unwrap().clone();
        let (port, ended) = connect(
            &world,
            &session,
            permit,
            "device",
            near,
            self.notices,
            self.leftover,
        );
        let line = Line {
            world,
            session,
            port,
            manager,
            ended,
        };
        (line, peer_socket)
    }

    /// Runs the connection; the far end speaks WebSocket.
    async fn open(self) -> (Line, Socket) {
        let (line, peer_socket) = self.bare();
        (
            line,
            Socket::from_raw_socket(peer_socket, Role::Client, None).await,
        )
    }
}

fn connect(
    world: &World,
    session: &Arc<ConnectionContext>,
    permit: crate::registry::Permit,
    device: &str,
    near: DuplexStream,
    notices: bool,
    leftover: Bytes,
) -> (Arc<Port>, JoinHandle<EndReport>) {
    let transport = Transport::Other(Box::new(near));
    let device = DeviceId::new(device).unwrap();
    let bytes_max = session.config.outbox_bytes_max;
    let port = Port::new(
        device,
        bytes_max,
        notices,
        transport.socket(),
        world.clock.now(),
    );
    let attachment = permit.attach(port.clone()).unwrap();
    let ended = world.tasks.spawn(
        "connection",
        run(session.clone(), transport, leftover, attachment),
    );
    (port, ended)
}

impl Line {
    /// Waits for the end; there is one within the close deadline, or three of them for an evicted client. It is
    /// reported once, and its slot is free unless its client may come back.
    async fn end(self) -> EndReport {
        let most = self.session.config.close_deadline * ECHO_DEADLINES + Duration::from_secs(1);
        let report = tokio::time::timeout(most, self.ended)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            self.port.end(),
            Some(report),
            "what was returned is what was reported"
        );
        assert_eq!(self.manager.ports().len(), 0);
        assert!(
            self.port
                .send(self.world.clock.now(), Message::Text("late".into()))
                .is_err()
        );
        self.world.pass(1).await;
        assert_eq!(
            self.world.tasks.running() as u32,
            self.world.registry.total()
        );
        report
    }
}

/// Reads until the Close, and says its code and reason, and the texts before it.
async fn read_to_close(socket: &mut Socket) -> (Option<(u16, String)>, Vec<String>) {
    let mut texts = Vec::new();
    while let Some(Ok(frame)) = socket.next().await {
        match frame {
            Frame::Close(close) => {
                return (
                    close.map(|close| (close.code.into(), close.reason.to_string())),
                    texts,
                );
            }
            Frame::Text(text) => texts.push(text.to_string()),
            _ => {}
        }
    }
    (None, texts)
}

/// A client's frame by hand: masked with zeros, so that the payload reads as it is.
fn raw_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    let mut frame = vec![first_byte, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}
