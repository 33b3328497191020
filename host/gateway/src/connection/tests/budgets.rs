//! What the clients of one user may send, over all of their connections.

use super::*;
use crate::health::judge;
use wastegate_core::types::Health;

fn wiring(over: OverBudget) -> Wiring {
    Wiring {
        budget: BudgetConfig {
            messages_per_s: 10,
            burst: Duration::from_secs(1),
            over,
            ..BudgetConfig::default()
        },
        ..Wiring::default()
    }
}

/// Two connections of a user share its ten messages. What goes beyond is not read from either, which says nothing
/// about their health, and nothing of what was sent is lost.
#[tokio::test(start_paused = true)]
async fn a_connection_over_its_users_budget_is_held_back() {
    let (line, mut socket) = wiring(OverBudget::Slow).open().await;
    let (near, far) = tokio::io::duplex(64 * 1_024);
    let permit = line.world.permit("ann", 1);
    let second = permit.manager().unwrap().clone();
    let nothing = Bytes::new();
    let (_port, _ended) = connect(
        &line.world,
        &line.session,
        permit,
        "other",
        near,
        false,
        nothing,
    );
    let mut other = Socket::from_raw_socket(far, Role::Client, None).await;
    for _ in 0..8 {
        other.send(Frame::binary(vec![0; 10])).await.unwrap();
        settle().await;
    }
    for _ in 0..6 {
        socket.send(Frame::binary(vec![0; 10])).await.unwrap();
        settle().await;
    }
    let received = |manager: &Manager| manager.totals().0 / 10;
    assert_eq!((received(&second), received(&line.manager)), (8, 3));
    assert!(line.port.vitals.read_paused());
    let verdict = judge(&line.port, &line.session.health, line.world.clock.now());
    assert_eq!(verdict.health, Health::Unknown);
    // A tenth of a second later one more goes on; the read that brought it brought all three, which are paid for
    // before the next goes on.
    for (after_ms, expected) in [(101, 4), (250, 4), (60, 6)] {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        settle().await;
        assert_eq!(received(&line.manager), expected);
    }
    assert!(!line.port.vitals.read_paused());
}

#[tokio::test(start_paused = true)]
async fn a_connection_over_its_users_budget_is_closed_where_that_is_configured() {
    let (line, mut socket) = wiring(OverBudget::Close).open().await;
    for _ in 0..11 {
        socket.send(Frame::binary(vec![0; 10])).await.unwrap();
    }
    let (report, close) = tokio::join!(line.end(), async {
        let close = read_to_close(&mut socket).await.0;
        let _ = socket.flush().await;
        close
    });
    assert_eq!(
        (report.reason, close.unwrap().0),
        (CloseReason::OverBudget, 4_007)
    );
}

/// Headers count, so empty messages are not free, and neither are messages that never end.
#[tokio::test(start_paused = true)]
async fn headers_and_unfinished_messages_count() {
    for frame in [
        [0x82, 0x80, 0, 0, 0, 0].repeat(30),
        [vec![0x02, 0xfe, 0, 200, 0, 0, 0, 0], vec![7; 200]].concat(),
    ] {
        let mut wiring = wiring(OverBudget::Close);
        wiring.budget.messages_per_s = 0;
        wiring.budget.bytes_per_s = 100;
        let (line, mut peer) = wiring.bare();
        tokio::io::AsyncWriteExt::write_all(&mut peer, &frame)
            .await
            .unwrap();
        assert_eq!(line.end().await.reason, CloseReason::OverBudget);
    }
}
