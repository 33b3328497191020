//! What a connection that is handed on costs while nothing happens, and what goes through untouched.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::manager::Manager;
use crate::testing::{Setup, World};
use wastegate_core::types::{ConnectionRefs, DeviceId};

/// A relay that is not run yet, with both of its ends.
fn relayed(
    world: &World,
) -> (
    impl Future<Output = EndReport> + use<>,
    DuplexStream,
    DuplexStream,
) {
    let session = Arc::new(ConnectionContext {
        config: crate::connection::Config::default(),
        health: world.health.clone(),
        clock: world.clock.clone(),
        close_code: |_| (1_000, ""),
        refs: ConnectionRefs::new(1),
        notice: |_| None,
        faults: Arc::default(),
        traffic: Arc::default(),
        listeners: crate::connection::EchoListeners::default(),
    });
    let (near, client) = tokio::io::duplex(64 * 1_024);
    let (upstream, backend) = tokio::io::duplex(64 * 1_024);
    let device = DeviceId::new("device").unwrap();
    let near = Transport::Other(Box::new(near));
    let port = Port::new(device, 1_024, false, near.socket(), world.clock.now());
    let attachment = world.permit("ann", 0).attach(port).unwrap();
    let upstream = RelayedUpstream {
        keeper: None,
        transport: Transport::Other(Box::new(upstream)),
        leftover: Bytes::new(),
        compresses: false,
    };
    let relay = relay(session, (near, Bytes::new()), upstream, attachment);
    (relay, client, backend)
}

/// Most of what an idle connection of a gateway costs beside its sockets. Whoever makes one of these
/// larger pays for it as often as there are connections. A port has three words for what its client has
/// taken (one was spare), two for pings that no pong came for, and three for its place among the node's
/// connections, which is free as soon as it is asked to close. A manager's task has four for the
/// connections that its application knows, each of which it is told the end of.
#[tokio::test]
async fn an_idle_connection_is_small() {
    let world = Setup::default().build();
    let (relay, _client, _backend) = relayed(&world);
    let manager = world.permit("ann", 1).manager().unwrap().clone();
    let sizes = [
        ("the relay", size_of_val(&relay), 1_024),
        ("its port", size_of::<Port>(), 512),
        ("its manager", size_of::<Manager>(), 464),
        ("its manager's task", size_of_val(&manager.run()), 368),
    ];
    for (what, bytes, most) in sizes {
        assert!(
            bytes <= most,
            "{what} takes {bytes} bytes, more than {most}"
        );
    }
}

/// However the bytes are cut, and with a ping of ours among them, both ends get what was sent.
#[tokio::test]
async fn what_is_handed_on_is_what_came() {
    let world = Setup::default().build();
    let (relay, mut client, mut backend) = relayed(&world);
    let running = world.tasks.spawn("relay", relay);
    let mut sent = Vec::new();
    for length in [0_usize, 1, 125, 126, 60_000] {
        sent.push(0x82);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..126), _) => sent.push(0x80 | short),
            (_, Ok(middle)) => {
                sent.push(0x80 | 126);
                sent.extend(middle.to_be_bytes());
            }
            _ => panic!("{length} is more than a frame may have"),
        }
        sent.extend([1, 2, 3, 4]);
        sent.extend(std::iter::repeat_n(7, length));
    }
    for cut in [1, 7, 5_000] {
        let expected = sent.clone();
        let read = async {
            let mut got = vec![0; expected.len()];
            backend.read_exact(&mut got).await.unwrap();
            assert!(got == expected, "cut into {cut}");
        };
        let write = async {
            for part in sent.chunks(cut) {
                client.write_all(part).await.unwrap();
            }
        };
        tokio::join!(read, write);
    }
    drop((client, backend));
    assert_eq!(running.await.unwrap().reason, CloseReason::ClientGone);
}

/// A client that closes without a code is answered by a code that may be sent, also where its backend is lost
/// before it answers (RFC 6455, section 7.4.1: 1005 is in no frame).
#[tokio::test]
async fn a_close_without_a_code_is_answered_where_the_backend_is_lost() {
    let world = Setup::default().build();
    let (relay, mut client, backend) = relayed(&world);
    let running = world.tasks.spawn("relay", relay);
    client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    drop(backend);
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, [0x88, 2, 0x03, 0xE8]);
    drop(client);
    running.await.unwrap();
}
