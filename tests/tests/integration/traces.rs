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

/// A tenth of the trace of `docs/case-study.md`: what the policies would have done is the same
/// everywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_case_study_can_be_repeated() {
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/traces/chats.ndjson.zst");
    let line = [
        "replay",
        "--activity",
        trace,
        "--cap",
        "10",
        "--policy",
        "lru",
    ];
    let more = [
        "--policy",
        "lrfu",
        "--policy",
        "qos-lexicographic",
        "--oracle",
        "--csv",
    ];
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("page.html");
    let html = ["--html", page.to_str().unwrap()];
    let (code, out, _) = run(&[&line[..], &more, &html].concat()).await;
    assert_eq!(code, Some(0), "{out}");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(
        page.contains("Regret 10m") && page.contains("qos-lexicographic"),
        "{page}"
    );
    assert!(
        !page.contains("<script") && page.ends_with("</html>\n"),
        "{page}"
    );
    let charts = page.matches("<svg class=\"axis\"").count();
    assert_eq!(charts, 1, "one chart, with its axis: {page}");
    let verdict = "<h1>No verdict: 17 users had a decision, and it takes 30.</h1>";
    assert!(page.contains(verdict), "{page}");
    let sum = std::process::Command::new("sha256sum").arg(trace).output();
    let sum = String::from_utf8(sum.unwrap().stdout).unwrap();
    let digest = sum.split(' ').next().unwrap();
    assert_eq!(digest.len(), 64, "{sum}");
    assert!(
        page.contains("chats.ndjson.zst, ") && page.contains(digest),
        "what it was made of: {digest} is not in {page}"
    );
    let place = |name: &str| page.find(&format!("<th scope=\"row\">{name}</th>"));
    let order = ["oracle", "lru", "qos-lexicographic", "lrfu"].map(place);
    assert!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "the fewest reopen-misses first: {order:?}"
    );
    let mut lines = out.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|cell| *cell == name).unwrap();
    let (evictions, misses) = (column("evictions"), column("reopen_misses"));
    let told: Vec<_> = lines.map(|it| (it[0], it[evictions], it[misses])).collect();
    let expected = [
        ("lru", "565", "83"),
        ("lrfu", "618", "122"),
        ("qos-lexicographic", "565", "83"),
        ("oracle", "498", "0"),
    ];
    assert_eq!(told, expected);
}

/// Made traces are the same for the same seed, and tuning tells a gain from noise or says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_are_made_up_and_parameters_are_tuned_on_them() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (one, two) = (at("one.ndjson"), at("two.ndjson"));
    for file in [&one, &two] {
        let line = [
            "trace", "synth", "--users", "150", "--hours", "3", "--out", file,
        ];
        let (code, _, err) = run(&line).await;
        assert_eq!(code, Some(0), "{err}");
        assert!(
            err.contains("every fault in it are synthetic (seed 1)"),
            "{err}"
        );
    }
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let tune = async |policy: &str, more: &[&str]| {
        let line = [
            "tune",
            "--activity",
            &one,
            "--cap",
            "4",
            "--trials",
            "6",
            "--policy",
            policy,
        ];
        run(&[&line[..], more].concat()).await
    };
    let (code, out, err) = tune("lrfu", &["--json"]).await;
    assert_eq!(code, Some(0), "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["trials"].as_array().unwrap().len(), 7, "{told}");
    assert_eq!(told["verdict"], "gain", "{told}");
    let (_, out, _) = tune("scaled-idle-timeout", &[]).await;
    assert!(out.contains("No gain that is beyond chance"), "{out}");
    let (_, out, _) = tune("lrfu", &["--held-out", "0.1"]).await;
    assert!(out.contains("Nothing can be said: only "), "{out}");
    let (code, _, err) = tune("lru", &[]).await;
    assert_eq!(
        (code, err.as_str()),
        (
            Some(1),
            "error: `lru` declares no parameter, so there is nothing to tune\n"
        )
    );
    let line = [
        "trace",
        "synth",
        "--die-silently",
        "0.8",
        "--close",
        "0.8",
        "--out",
        &two,
    ];
    let (code, _, err) = run(&line).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("together at most 1"), "{err}");
    let (code, _, err) = run(&["trace", "import-mooncake", &one]).await;
    assert_eq!(code, Some(66));
    assert!(err.contains("no request of a Mooncake trace"), "{err}");
}
