//! The guide's table of signals, held to what a running server measures.
//!
//! The names and what "unknown" means are part of the contract although WIT cannot say so: a policy
//! that was written by the table has to meet on a server what the table promises.

use std::collections::BTreeMap;
use std::fs;

use wastegate_core::decision::Row;
use wastegate_core::types::{Signal, UserId};
use wastegate_tests::harness::{Server, Setup, until};

use crate::reading::root;

/// When the guide says that a signal is unknown.
fn guide() -> BTreeMap<Signal, String> {
    let guide = fs::read_to_string(root().join("policies/README.md")).unwrap();
    let cells = guide.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let [name, _unit, _meaning, unknown, ""] = cells.as_slice() else {
            return None;
        };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        Some((Signal::by_name(name)?, (*unknown).to_owned()))
    });
    cells.collect()
}

/// The only manager of `ann`.
fn row(server: &Server) -> Row {
    let ann = UserId::new("ann").unwrap();
    let snapshot = server.registry.snapshot_user(&ann, server.now());
    let [row] = snapshot.rows.as_slice() else {
        panic!("one manager: {:?}", snapshot.rows);
    };
    row.clone()
}

#[test]
fn the_guide_knows_every_signal_and_no_other() {
    assert_eq!(guide().into_keys().collect::<Vec<_>>(), Signal::ALL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guide_calls_unknown_is_unknown_and_nothing_else_is() {
    let guide = guide();
    let unknown = |row: &Row, signal: &Signal| row.signals[*signal].is_nan();
    let server = Setup::new().start().await;
    let client = server.enter("ann", "chat").await;
    server.attached(&client).await;
    let attached = row(&server);
    let left = client.leave_with(1001).await;
    until(format!("detached after {left:?}"), || {
        !row(&server).signals[Signal::DetachedMs].is_nan()
    })
    .await;
    let detached = row(&server);
    for (signal, when) in &guide {
        let (while_attached, while_detached) =
            (unknown(&attached, signal), unknown(&detached, signal));
        let name = signal.name();
        let seen = (while_attached, while_detached);
        match when.as_str() {
            "never" | "never; \"unknown\" is a code" => assert_eq!(seen, (false, false), "{name}"),
            "while detached" => assert_eq!(seen, (false, true), "{name}"),
            "while one is attached" => assert_eq!(seen, (true, false), "{name}"),
            "at user scope"
            | "before the second"
            | "in the first minute"
            | "while it is empty"
            | "unless the client said so" => {
                assert_eq!(seen, (true, true), "{name}");
            }
            // Whether a ping has been answered yet is a matter of moments.
            "before the first" | "before the first pong" | "until enough pongs were seen" => {
                assert!(while_detached, "{name}");
            }
            // This host can always tell, if only that the client never said so.
            "where the host cannot tell" => assert_eq!(seen, (false, false), "{name}"),
            // Being attached is evidence.
            "where there is none" => assert!(!while_attached, "{name}"),
            other => panic!("{name}: the test does not know `{other}`"),
        }
    }
}
