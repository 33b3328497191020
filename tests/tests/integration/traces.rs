//! `wastegate trace`: what is in a trace, in one form, cut; and that a replay of what was brought into
//! another form is the same replay.

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::run;

const LOG: &str = "1 2 100\n1 3 160\n2 3 200\n1 2 1000\n1 4 1001\n1 3 1002\n1 2 1003\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_described_imported_cut_and_replayed_alike() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (log, all, part) = (at("log.txt"), at("all.ndjson"), at("part.ndjson"));
    std::fs::write(&log, LOG).unwrap();

    let (code, out, err) = run(&["trace", "describe", "--json", "--cap", "2", &log]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["events"], &told["users"]), (&14.into(), &4.into()));
    assert_eq!(told["users_over_cap"], 1, "{told}");
    let (_, text, _) = run(&["trace", "describe", &log]).await;
    assert!(
        text.starts_with("14 events of 4 users with 8 managers"),
        "{text}"
    );
    assert!(text.contains("not told: deaths"), "{text}");

    let (code, ..) = run(&["trace", "import", "--out", &all, &log]).await;
    assert_eq!(code, Some(0));
    let replay = async |file: &str| {
        let more = ["--cap", "2", "--policy", "lru", "--oracle", "--csv"];
        run(&[&["replay", "--activity", file][..], &more].concat()).await
    };
    let (of_log, of_import) = (replay(&log).await, replay(&all).await);
    assert_eq!(of_log, of_import);
    assert!(of_log.1.contains("\nlru,"), "{}", of_log.1);

    let (code, ..) = run(&[
        "trace", "slice", "--user", "1", "--to-ms", "1001000", "--out", &part, &all,
    ])
    .await;
    assert_eq!(code, Some(0));
    let lines = std::fs::read_to_string(&part).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");

    let (code, _, err) = run(&["trace", "slice", "--user", "nobody", &all]).await;
    assert_eq!(code, Some(1));
    assert!(
        err.contains("nothing of the trace lies in that part"),
        "{err}"
    );
    let (code, _, err) = run(&["trace", "describe", &at("none")]).await;
    assert_eq!(code, Some(66));
    assert!(err.contains("cannot read"), "{err}");
    let (code, ..) = run(&["trace", "slice", "--share", "2", &all]).await;
    assert_eq!(code, Some(2));
}
