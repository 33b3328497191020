//! Files of every form, and what is said of broken ones.

use std::fmt::Write as _;
use std::path::Path;

use super::read::{LoadedTrace, Reading, read_from};
use super::users::ByUser;
use super::{Format, TraceError, TraceEventKind};
use wastegate_core::types::chain;

fn load(text: &[u8], reading: &Reading) -> Result<LoadedTrace, TraceError> {
    read_from(Path::new("t"), text, reading)
}

fn loaded(text: &str) -> LoadedTrace {
    load(text.as_bytes(), &Reading::default()).unwrap()
}

const RECORDED: &str = r#"{"settings":{"managers_per_user":2,"something_new":1}}
{"t_ms":1000,"user":"00000000000000aa","key":"00000000000000b1","kind":"open","wait_ms":3}
{"t_ms":1001,"user":"00000000000000aa","key":"00000000000000b1","device":"00000000000000c1","kind":"attach"}
{"t_ms":1500,"user":"00000000000000aa","key":"00000000000000b1","kind":"in","n":3,"bytes":12,"last_ms":400}
{"dropped":7}
{"t_ms":2000,"user":"00000000000000aa","key":"00000000000000b1","kind":"evict","tier":"force","decision":9}
"#;

#[test]
fn what_a_gateway_records() {
    let LoadedTrace {
        trace,
        settings,
        dropped,
        cut_off,
        ..
    } = loaded(RECORDED);
    assert_eq!(settings.unwrap().managers_per_user, Some(2));
    assert_eq!((dropped, cut_off.len()), (7, 0));
    assert_eq!(
        (trace.users.len(), trace.sessions.len(), trace.devices.len()),
        (1, 1, 1)
    );
    let kinds: Vec<TraceEventKind> = trace.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds[0], TraceEventKind::Open { wait_ms: 3 });
    assert_eq!(
        kinds[2],
        TraceEventKind::In {
            n: 3,
            bytes: 12,
            last_ms: 400
        }
    );
    assert!(matches!(
        kinds[3],
        TraceEventKind::Evict {
            decision: Some(9),
            ..
        }
    ));
}

#[test]
fn frames_whose_moments_are_told_are_events_of_their_own() {
    let line = r#"{"t_ms":1000,"user":"a","key":"k","kind":"in","n":3,"bytes":10,"last_ms":9,"later":[4,9]}
{"t_ms":1002,"user":"a","key":"j","kind":"in"}
"#;
    let trace = loaded(line).trace;
    let report: Vec<(u64, u32, TraceEventKind)> = trace
        .events
        .iter()
        .map(|event| (event.at_ms, event.session, event.kind))
        .collect();
    let frame = |bytes| TraceEventKind::In {
        n: 1,
        bytes,
        last_ms: 0,
    };
    assert_eq!(
        report,
        [
            (1_000, 0, frame(4)),
            (1_002, 1, frame(0)),
            (1_004, 0, frame(3)),
            (1_009, 0, frame(3))
        ]
    );
}

#[test]
fn other_producers_are_understood() {
    let json = r#"{"t_ms":5,"user":"ann","session":"chat","device":"phone","kind":"cmd"}"#;
    let table = "t_ms,user,session,device,kind\n5,ann,chat,phone,cmd\n";
    let (json, table) = (loaded(json).trace, loaded(table).trace);
    assert_eq!(json, table);
    let named = Reading {
        user_column: Some("account".to_owned()),
        ..Reading::default()
    };
    let other = load(b"account,t_ms,key\nann,5,chat\n", &named)
        .unwrap()
        .trace;
    assert_eq!(other.users, json.users);
    assert!(matches!(
        other.events[0].kind,
        TraceEventKind::In { n: 1, .. }
    ));
    let log = loaded("1 2 5\n").trace;
    assert_eq!((log.users.len(), log.events.len()), (2, 2));
}

#[test]
fn a_line_that_was_cut_off_is_left_out_and_told() {
    for cut in 1..60 {
        let text = &RECORDED[..RECORDED.len() - 1 - cut];
        let LoadedTrace { trace, cut_off, .. } = loaded(text);
        assert_eq!((trace.events.len(), cut_off.len()), (3, 1), "{cut}");
        assert_eq!(cut_off[0].1, 6);
    }
}

#[test]
fn small_disorder_is_mended() {
    let log = r#"{"t_ms":9000,"user":"a","key":"x","kind":"in"}
{"t_ms":8000,"user":"a","key":"y","kind":"in"}
"#;
    let times: Vec<u64> = loaded(log).trace.events.iter().map(|e| e.at_ms).collect();
    assert_eq!(times, [8_000, 9_000]);
}

#[test]
fn events_are_grouped_by_user() {
    let trace = loaded("t_ms,user,key\n1,a,x\n2,a,y\n3,b,x\n4,a,x\n").trace;
    let by_user = ByUser::new(&trace);
    assert_eq!(by_user.users(), 2);
    let times = |user| -> Vec<u64> { by_user.of(user).iter().map(|e| e.at_ms).collect() };
    assert_eq!((times(0), times(1)), (vec![1, 2, 4], vec![3]));
    assert!(by_user.of(2).is_empty());
}

/// Every mistake with its message: the file, the line, what is wrong, what to do.
#[test]
fn broken_files_are_refused_with_place_and_remedy() {
    let good = r#"{"t_ms":1000,"user":"a","key":"k","kind":"in"}"#;
    let long = format!(
        "{good}\n{{\"t_ms\":2000,\"user\":\"{}\"",
        "a".repeat(70_000)
    );
    let back = format!("{}\n{good}\n", good.replace("1000", "100000"));
    let future = format!("{good}\n{}\n", good.replace("1000", "99999999999999"));
    let lines = |second: &str| format!("{good}\n{second}\n");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("only comments", b"# nothing\n".to_vec()),
        (
            "half an object, in the middle",
            lines("{\"t_ms\":5").into_bytes(),
        ),
        ("no object", lines("[1,2]").into_bytes()),
        (
            "no time",
            lines(r#"{"user":"a","key":"k","kind":"in"}"#).into_bytes(),
        ),
        (
            "negative time",
            lines(&good.replace("1000", "-5")).into_bytes(),
        ),
        (
            "fractional time",
            lines(&good.replace("1000", "5.5")).into_bytes(),
        ),
        (
            "no user",
            lines(r#"{"t_ms":1000,"key":"k","kind":"in"}"#).into_bytes(),
        ),
        (
            "a number for a user",
            lines(&good.replace("\"a\"", "7")).into_bytes(),
        ),
        (
            "no key",
            lines(r#"{"t_ms":1000,"user":"a","kind":"in"}"#).into_bytes(),
        ),
        (
            "no kind",
            lines(r#"{"t_ms":1000,"user":"a","key":"k"}"#).into_bytes(),
        ),
        (
            "mistyped kind",
            lines(&good.replace("\"in\"", "\"opne\"")).into_bytes(),
        ),
        (
            "wrong tier",
            lines(&good.replace("\"in\"", "\"evict\",\"tier\":\"hard\"")).into_bytes(),
        ),
        (
            "wrong hint",
            lines(&good.replace("\"in\"", "\"hint\",\"hint\":\"size\",\"value\":1")).into_bytes(),
        ),
        (
            "hint without a value",
            lines(&good.replace("\"in\"", "\"hint\",\"hint\":\"pin\"")).into_bytes(),
        ),
        ("a NUL byte", lines("\0\0\0").into_bytes()),
        ("not text", [good.as_bytes(), b"\n\xff\xfe\n"].concat()),
        ("endless line", long.into_bytes()),
        ("far back in time", back.into_bytes()),
        ("far in the future", future.into_bytes()),
        ("a table without a user", b"t_ms,key\n1,k\n".to_vec()),
        (
            "a table with a hole",
            b"t_ms,user,key\n1,a,k\n2,,k\n".to_vec(),
        ),
        (
            "a table with a bad time",
            b"t_ms,user,key\n1,a,k\nx,a,k\n".to_vec(),
        ),
        ("half a message", b"1 2 5\n1 2\n1 2 6\n".to_vec()),
        (
            "a message without a time",
            b"1 2 5\n1 2 soon\n1 2 6\n".to_vec(),
        ),
        ("a message before 1970", b"1 2 5\n1 2 -3\n1 2 6\n".to_vec()),
    ];
    let mut report = String::new();
    for (name, bytes) in &cases {
        let error = load(bytes, &Reading::default()).expect_err(name);
        writeln!(report, "{name}\n  {}", chain(&error)).unwrap();
    }
    for (format, column) in [(Format::Messages, "from"), (Format::Canonical, "who")] {
        let reading = Reading {
            format,
            user_column: Some(column.to_owned()),
            ..Reading::default()
        };
        let text: &[u8] = if format == Format::Messages {
            b"1 2 5\n"
        } else {
            b"t_ms,user,key\n1,a,k\n"
        };
        let error = load(text, &reading).expect_err(column);
        writeln!(report, "user column {column}\n  {}", chain(&error)).unwrap();
    }
    wastegate_blessed::is_current("host/lab/src/trace/broken.txt", "trace::tests", &report);
}
