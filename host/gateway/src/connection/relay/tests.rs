//! What a connection that is handed on costs while nothing happens, and what goes through untouched.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::connection::{BudgetConfig, Budgets, OverBudget};
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
    relayed_within(world, BudgetConfig::default())
}

/// The same for a user with a budget.
fn relayed_within(
    world: &World,
    budget: BudgetConfig,
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
        budgets: Budgets::new(budget, world.clock.clone()),
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
/// connections, which is free as soon as it is asked to close, and two for the token that its client came with
/// (with its counts it is still in the allocator's class of 640 bytes). A manager's task has four for the
/// connections that its application knows, each of which it is told the end of.
#[tokio::test]
async fn an_idle_connection_is_small() {
    let world = Setup::default().build();
    let (relay, _client, _backend) = relayed(&world);
    let manager = world.permit("ann", 1).manager().unwrap().clone();
    let sizes = [
        ("the relay", size_of_val(&relay), 1_024),
        ("its port", size_of::<Port>(), 528),
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

/// What a user may send holds for what is handed on: the rest is not read until the budget has recovered, while
/// what the backend says goes out.
#[tokio::test(start_paused = true)]
async fn a_user_over_its_budget_is_not_read_from() {
    let world = Setup::default().build();
    let budget = BudgetConfig {
        messages_per_s: 10,
        burst: Duration::from_secs(1),
        ..BudgetConfig::default()
    };
    let (relay, mut client, mut backend) = relayed_within(&world, budget);
    let running = world.tasks.spawn("relay", relay);
    let message = [0x82, 0x81, 0, 0, 0, 0, 7];
    let mut got = [0; 7];
    // One read has eleven messages, one more than was saved up.
    client.write_all(&message.repeat(11)).await.unwrap();
    for _ in 0..11 {
        backend.read_exact(&mut got).await.unwrap();
    }
    client.write_all(&message).await.unwrap();
    backend.write_all(&[0x82, 0x01, 9]).await.unwrap();
    let mut heard = [0; 3];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [0x82, 0x01, 9]);
    tokio::time::sleep(Duration::from_millis(90)).await;
    let mut one = [0; 1];
    let is_early = tokio::time::timeout(Duration::ZERO, backend.read_exact(&mut one)).await;
    assert!(is_early.is_err(), "a tenth of a second has to pass");
    tokio::time::sleep(Duration::from_millis(20)).await;
    backend.read_exact(&mut got).await.unwrap();
    drop((client, backend));
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_over_its_budget_is_closed_where_that_is_configured() {
    let world = Setup::default().build();
    let budget = BudgetConfig {
        bytes_per_s: 100,
        burst: Duration::from_secs(1),
        over: OverBudget::Close,
        ..BudgetConfig::default()
    };
    let (relay, mut client, mut backend) = relayed_within(&world, budget);
    let running = world.tasks.spawn("relay", relay);
    let message = [0x82, 0x81, 0, 0, 0, 0, 7];
    client.write_all(&message.repeat(15)).await.unwrap();
    let mut heard = [0; 4];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard[0], 0x88, "a Close");
    // Both ends answer.
    client
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
        .await
        .unwrap();
    let mut rest = Vec::new();
    let backend_ends = async {
        backend.write_all(&[0x88, 0x02, 0x03, 0xe9]).await.unwrap();
        backend.read_to_end(&mut rest).await.unwrap();
    };
    let (_, ended) = tokio::join!(backend_ends, running);
    assert_eq!(ended.unwrap().reason, CloseReason::OverBudget);
}

/// A client that is held back and cannot be sent to any more is gone, and not only once its budget has recovered.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_lost_while_it_is_held_back_is_found() {
    let world = Setup::default().build();
    let budget = BudgetConfig {
        messages_per_s: 1,
        burst: Duration::from_secs(1),
        ..BudgetConfig::default()
    };
    let (relay, mut client, mut backend) = relayed_within(&world, budget);
    let running = world.tasks.spawn("relay", relay);
    let message = [0x82, 0x81, 0, 0, 0, 0, 7];
    client.write_all(&message.repeat(70)).await.unwrap();
    let mut got = vec![0; 70 * message.len()];
    backend.read_exact(&mut got).await.unwrap();
    drop(client);
    let ping = world.health.ping_interval;
    // The next heartbeat cannot be sent; the budget needs more than a minute.
    let ended = tokio::time::timeout(ping * 2, running).await;
    assert_eq!(ended.unwrap().unwrap().reason, CloseReason::ClientGone);
}
