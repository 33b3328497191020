//! What the verbs that read activity say of logs as they are met in the field.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use tempfile::TempDir;

use crate::cli::{Cli, Terminal};
use crate::config::Environment;

/// What a verb says, on standard output and on standard error.
struct Output {
    code: ExitCode,
    out: String,
    err: String,
}

/// A folder of logs.
struct Logs(TempDir);

impl Logs {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a line; names of files of the folder are replaced by their paths.
    fn run(&self, line: &str) -> Output {
        let words = line.split(' ').map(|word| {
            let path = self.0.path().join(word);
            if word != "." && Path::exists(&path) {
                self.path(word)
            } else {
                word.to_owned()
            }
        });
        let cli = Cli::try_parse_from(["wastegate".to_owned()].into_iter().chain(words));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = Terminal {
            environment: Environment::default(),
            out: &mut out,
            err: &mut err,
        };
        let (code, report) = match cli {
            Ok(cli) => (cli.run(terminal).unwrap(), String::new()),
            Err(error) => (ExitCode::from(2), error.to_string()),
        };
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output {
            code,
            out: text(out),
            err: text(err) + &report,
        }
    }

    /// Fails unless the line is refused with that code in a sentence that holds these parts.
    #[track_caller]
    fn refused(&self, line: &str, code: u8, parts: &[&str]) {
        let output = self.run(line);
        assert_eq!(output.code, ExitCode::from(code), "{line}: {}", output.err);
        for part in parts {
            assert!(output.err.contains(part), "{line}: {}", output.err);
        }
    }
}

const NO_INPUT: u8 = 66;

#[test]
fn p14_describe_says_what_it_takes_the_columns_for() {
    let konect: &[u8] = b"% sym\n1 2 1 1082040961\n1 3 1 1082040962\n";
    let logs = Logs::new(&[("konect", konect), ("bad", b"1 2 1082040961 7\n")]);
    let output = logs.run("trace describe konect");
    assert_eq!(output.code, ExitCode::SUCCESS);
    assert!(
        output
            .out
            .contains("from 1082040961000 to 1082040962000 ms (2004-04-15 to 2004-04-15)"),
        "{}",
        output.out
    );
    assert!(
        output
            .out
            .contains("was taken as messages, `src dst weight unixtime`, times in seconds"),
        "{}",
        output.out
    );
    assert!(
        output.err.contains("not read: the third, the weight"),
        "{}",
        output.err
    );
    let output = logs.run("trace describe --json konect");
    let report: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(
        report["taken"][0]["as"],
        "messages, `src dst weight unixtime`, times in seconds"
    );
    logs.refused("trace describe bad", NO_INPUT, &["bad:1", "four fields"]);
}

#[test]
fn p19_what_was_cut_is_told_by_every_verb() {
    let log: &[u8] = b"1 2 1082040961\n1 3 1082040962\n1 2 10";
    let logs = Logs::new(&[("log", log)]);
    let note = "log:3 was cut off in the middle and is left out";
    for line in [
        "trace describe log",
        "trace import log",
        "replay --csv --native lru --activity log",
        "replay bisect builtin builtin --activity log",
        "tune --policy lrfu --trials 1 --activity log",
    ] {
        let output = logs.run(line);
        assert_eq!(output.code, ExitCode::SUCCESS, "{line}: {}", output.err);
        assert!(output.err.contains(note), "{line}: {}", output.err);
    }
    let output = logs.run("replay --native lru --activity log");
    assert!(output.out.contains(note), "{}", output.out);
    let output = logs.run("replay --json --native lru --activity log");
    assert!(output.out.contains("\"line\":3"), "{}", output.out);
}

#[test]
fn p20_disorder_is_refused_with_a_way_out() {
    let logs = Logs::new(&[("log", b"a b 7200\na c 10\n")]);
    logs.refused(
        "trace describe log",
        NO_INPUT,
        &["log:2", "7190000 ms earlier", "`--sort`"],
    );
    let output = logs.run("trace describe --sort log");
    assert!(
        output.out.contains("from 10000 to 7200000 ms"),
        "{}",
        output.out
    );
}

#[test]
fn p22_gzip_is_named() {
    let logs = Logs::new(&[("log", b"\x1f\x8b\x08\0and so on")]);
    for line in ["trace describe log", "replay --activity log"] {
        logs.refused(line, NO_INPUT, &["log: compressed with gzip", "gzip -dc"]);
    }
}

#[test]
fn p23_units_have_a_way_out_that_is_there() {
    let ms: &[u8] = b"src dst time\n1 2 1082040961000\n";
    let logs = Logs::new(&[
        ("millis", ms),
        ("table", b"timestamp\tuser\tsession\n1082040961\tann\tred\n"),
    ]);
    logs.refused(
        "trace describe millis",
        NO_INPUT,
        &["millis:2", "`1082040961000`", "`--time-unit ms`"],
    );
    let output = logs.run("trace import --time-unit ms millis");
    assert!(
        output.out.contains("\"t_ms\":1082040961000,"),
        "{}",
        output.out
    );
    logs.refused(
        "trace describe table",
        NO_INPUT,
        &["table:1", "`timestamp`", "`--time-unit s`"],
    );
    let output = logs.run("trace import --time-unit s table");
    assert!(
        output.out.contains("\"user\":\"ann\"") && output.out.contains("\"key\":\"red\""),
        "{}",
        output.out
    );
    logs.refused(
        "trace describe --time-unit m millis",
        2,
        &["there are `s`, `ms`"],
    );
}

#[test]
fn p26_mooncake_is_read_by_the_same_rules() {
    let line = r#"{"timestamp": 5, "hash_ids": [1]}"#;
    let logs = Logs::new(&[
        ("empty", b""),
        ("cut", format!("\u{feff}{line}\n{{\"timesta").as_bytes()),
        ("packed", b"\x1f\x8b\x08\0"),
        (
            "twice",
            br#"{"timestamp": 5, "timestamp": 6, "hash_ids": [1]}"#,
        ),
        ("good", format!("{line}\n").as_bytes()),
        ("rates", b"0,1.5,1,,0,0\n600,0.5,1,,0,0\n600,0."),
        ("zero", b"0,0,1,,0,0\n"),
        ("short", b"0,1.5\n"),
    ]);
    let output = logs.run("trace import-mooncake empty");
    assert_eq!(output.code, ExitCode::from(NO_INPUT));
    assert!(output.err.contains("holds no event") && !output.err.contains("--format"));
    let output = logs.run("trace import-mooncake cut");
    assert_eq!(output.code, ExitCode::SUCCESS, "{}", output.err);
    assert!(
        output
            .err
            .contains("cut:2 was cut off in the middle and is left out")
    );
    logs.refused("trace import-mooncake packed", NO_INPUT, &["gzip"]);
    logs.refused(
        "trace import-mooncake twice",
        NO_INPUT,
        &["twice:1", "duplicate field"],
    );
    let output = logs.run("trace import-mooncake good --rates rates");
    assert!(output.err.contains("rates:3 was cut off"), "{}", output.err);
    for (rates, code, part) in [
        ("rates rates", NO_INPUT, "is named twice"),
        ("zero", 1, "every rate of --rates is 0"),
        ("short", NO_INPUT, "short:1"),
    ] {
        let line = format!("trace import-mooncake good --rates {rates}");
        logs.refused(&line, code, &[part]);
    }
}

#[test]
fn p28_what_makes_nothing_or_counts_twice_is_refused() {
    let logs = Logs::new(&[("log", b"1 2 10\n")]);
    for line in [
        "trace synth --hours 0",
        "trace synth --sessions-per-hour 0",
        "trace synth --turns 0",
        "trace synth --turns 0.5",
        "trace synth --hours nan",
        "trace import-mooncake log --users 0",
        "trace import-mooncake log --per-client 0",
    ] {
        logs.refused(line, 2, &["error: invalid value"]);
    }
    logs.refused("trace synth --hours 1e-9", 1, &["no session began"]);
    logs.refused("trace synth --users 0", 1, &["--users is 0"]);
    for line in [
        "trace describe log log",
        "replay --activity log log",
        "replay --activity log --activity log",
        "replay bisect builtin lru --activity log log",
        "tune --policy lrfu --activity log log",
        "replay --open-loop --policy lru --policy fifo --activity log log",
    ] {
        logs.refused(line, NO_INPUT, &["is named twice"]);
    }
    logs.refused(
        "replay --activity log --policy lrfu?half-life-ms=1&half-life-ms=2",
        1,
        &["`half-life-ms` is given twice"],
    );
    let output = logs.run("trace slice --user 1 --user 9 log");
    assert!(
        output.err.contains("no user of the trace is called `9`"),
        "{}",
        output.err
    );
}
