//! What decisions that were drawn by lot say of other policies, and where they say nothing.

use wastegate::observe::config::JournalConfig;

use super::*;

/// Arms that draw lots: every decision's chance is in its record, and another policy can be weighed by
/// them, if it reads no more than they hold; without lots nothing is estimated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j15_decisions_drawn_by_lot_are_weighed_for_a_policy_whose_signals_they_hold() {
    let files = TempDir::new().unwrap();
    let journal = |name: &str| files.path().join(name);
    let recorded = |name: &str| {
        let path = journal(name);
        setup().with(|config| {
            config.observe.decisions = Some(JournalConfig::at(path));
            // Lots are drawn among those that are not protected.
            config.manager.recently_active = std::time::Duration::ZERO;
        })
    };
    let server = recorded("lots.jsonl").start().await;
    let arm = |name: &str| json!({"name": name, "policy": "lru", "explore": {"epsilon": 1.0}});
    start(
        &server,
        &json!({"name": "lots", "arms": [arm("one"), arm("two")]}),
    )
    .await;
    let clients = crowd(&server, 0..450).await;
    drop(clients);
    server.stop().await;
    let server = recorded("plain.jsonl").start().await;
    let clients = crowd(&server, 0..5).await;
    drop(clients);
    server.stop().await;

    let weigh = async |name: &str, policy: &str| {
        let path = journal(name).to_str().unwrap().to_owned();
        let line = ["policy", "weigh", policy, "--decisions", &path, "--json"];
        let (code, out, err) = crate::cli::run(&line).await;
        assert_eq!(err, "");
        (code, serde_json::from_str::<Value>(&out).unwrap())
    };
    let (code, told) = weigh("lots.jsonl", "fifo").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told["drawn"].as_u64().unwrap() >= 450, "{told}");
    assert_eq!(told["doubts"], json!([]), "{told}");
    // Nearly everybody was alive, whoever went.
    for alive in [&told["logged"], &told["estimates"]["snips"]["value"]] {
        assert!(alive.as_f64().unwrap() > 0.9, "{told}");
    }
    let mean = told["estimates"]["weight_mean"].as_f64().unwrap();
    assert!(
        (mean - 1.0).abs() < 0.2,
        "half of two candidates, with weight two: {told}"
    );
    assert_eq!(told["lacking"], json!({"decisions": 0, "signals": {}}));
    let (_, of_another) = weigh("lots.jsonl", "random").await;
    assert_ne!(
        of_another["estimates"], told["estimates"],
        "each policy has figures of its own"
    );
    // As journals were before, with the signals of the arm's policy only.
    let full = std::fs::read_to_string(journal("lots.jsonl")).unwrap();
    let thin: Vec<String> = full.lines().map(with_idle_times_only).collect();
    std::fs::write(journal("thin.jsonl"), thin.join("\n")).unwrap();
    let path = journal("thin.jsonl").to_str().unwrap().to_owned();
    for (policy, lacking) in [
        ("fifo", "`age-ms`, which `fifo` reads, is missing in"),
        ("gdsf", "`queued-bytes`, which `gdsf` reads, are missing in"),
        ("random", "`bytes-in`, which `random` reads, are missing in"),
    ] {
        let line = ["policy", "weigh", policy, "--decisions", &path];
        let (code, out, err) = crate::cli::run(&line).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(
            err.contains(lacking) && err.contains("Record decisions that hold"),
            "{err}"
        );
    }
    let (code, thin) = weigh("thin.jsonl", "lru").await;
    let (_, lru) = weigh("lots.jsonl", "lru").await;
    assert_eq!((code, &thin["estimates"]), (Some(0), &lru["estimates"]));
    let (code, told) = weigh("plain.jsonl", "fifo").await;
    assert_eq!(
        (code, &told["estimates"]),
        (Some(1), &Value::Null),
        "{told}"
    );
    assert_eq!(told["drawn"], 0, "{told}");
}

/// A line of a journal without the columns that `lru` does not read.
fn with_idle_times_only(line: &str) -> String {
    let mut record: Value = serde_json::from_str(line).unwrap();
    let names = record["signals"].as_array().unwrap();
    let Some(idle) = names.iter().position(|name| name == "idle-ms") else {
        return line.to_owned();
    };
    record["signals"] = json!(["idle-ms"]);
    for row in record["rows"].as_array_mut().unwrap() {
        row["values"] = json!([row["values"][idle]]);
    }
    record.to_string()
}
