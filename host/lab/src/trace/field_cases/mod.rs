//! Logs as they are met in the field: read right, or refused with the line and the remedy.

mod reading;

use std::path::{Path, PathBuf};

use super::read::{LoadedTrace, Reading, distinct, read, read_from};
use super::{Trace, TraceError};

fn load(bytes: &[u8]) -> Result<LoadedTrace, TraceError> {
    read_from(Path::new("t"), bytes, &Reading::default())
}

#[track_caller]
fn loaded(text: &str) -> LoadedTrace {
    load(text.as_bytes()).unwrap()
}

/// Every event as `ms user key`.
fn events(trace: &Trace) -> Vec<String> {
    let events = trace.events.iter().map(|event| {
        let session = &trace.sessions[event.session as usize];
        let user = &trace.users[session.user as usize];
        format!("{} {user} {}", event.at_ms, session.key)
    });
    events.collect()
}

fn refusal(bytes: &[u8]) -> String {
    match load(bytes) {
        Ok(loaded) => format!("read: {:?} {:?}", events(&loaded.trace), loaded.cut_off),
        Err(error) => error.to_string(),
    }
}

/// Fails unless the text is refused in a sentence that holds these parts.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let report = refusal(text.as_bytes());
    for part in parts {
        assert!(report.contains(part), "{text:?}: {report}");
    }
}

#[test]
fn p14_the_fourth_column_of_konect_is_the_time() {
    let konect = "% asym positive\n% 2 2 2\n1 2 1 1082040961\n1  3 -1\t1082040962\n";
    let loaded = loaded(konect);
    assert_eq!(
        events(&loaded.trace),
        [
            "1082040961000 2 1",
            "1082040961000 1 2",
            "1082040962000 3 1",
            "1082040962000 1 3"
        ]
    );
    assert_eq!(
        loaded.remarks,
        [
            "t is taken as messages, `src dst weight unixtime`, times in seconds; not read: the third, \
             the weight"
        ]
    );
    refused("% bip weighted\n1 2 5\n", &["t:2", "KONECT", "no times"]);
    assert_eq!(
        events(&self::loaded("% sym unweighted\n1 2 1082040961\n").trace).len(),
        2
    );
    refused("1 2 1082040961 5\n", &["t:1", "four fields"]);
    refused("1 2 1082040961 1082040962\n", &["t:1", "four fields"]);
    refused("1 2 1 10\n1 2 11\n", &["t:2", "3 fields", "have 4"]);
    refused("1 2 10\n1 2 1 11\n", &["t:2", "4 fields", "have 3"]);
    refused("1 2 1 1 10\n", &["t:1", "src dst unixtime"]);
    refused("1 2 x 10\n", &["t:1", "src dst unixtime"]);
    refused("1 2\n", &["t:1", "src dst unixtime"]);
}

#[test]
fn p15_an_empty_field_is_no_field_less() {
    refused("a,,b,10\n", &["t:1", "field 2` is empty"]);
    refused("a,b,10\na,,10\n", &["t:2", "field 2` is empty"]);
    refused("a;b;\n", &["t:1", "field 3` is empty"]);
    refused("a\t\tb\t10\n", &["t:1", "field 2` is empty"]);
    refused("t_ms,user,key\n1,a,k\n,a,k\n", &["t:3", "`t_ms` is empty"]);
    refused("t_ms,user,key\n1, ,k\n", &["t:2", "`user` is empty"]);
    refused(
        "t_ms,user,session\n1,a,\"\"\n",
        &["t:2", "`session` is empty"],
    );
    refused(
        "{\"t_ms\":1,\"user\":\"\",\"key\":\"k\",\"kind\":\"in\"}\n",
        &["t:1", "`user` is empty"],
    );
}

#[test]
fn p16_a_field_in_quotes_may_hold_anything() {
    let table = "t_ms,user,session\n1000,ann,\"red, green\"\n2000,ann,\"red, blue\"\n\
                 3000,\"an\"\"n\",\"two\r\nlines\"\n";
    assert_eq!(
        events(&loaded(table).trace),
        [
            "1000 ann red, green",
            "2000 ann red, blue",
            "3000 an\"n two\r\nlines"
        ]
    );
    assert_eq!(
        events(&loaded("\"Doe, John\",b,10\n").trace),
        ["10000 b Doe, John", "10000 Doe, John b"]
    );
    let after = "t_ms,user,key\n1,a,\"two\nlines\"\n2,a\n";
    refused(after, &["t:4", "2 fields"]);
    refused("t_ms,user,key\n1,a,\"k\n2,a,k\n", &["t:2", "never closed"]);
    refused(
        "t_ms,user,key\n1,a, \"k\"\n",
        &["t:2", "a quote stands inside"],
    );
    refused(
        "t_ms,user,key\n1,a,\"k\"s\n",
        &["t:2", "a quote stands inside"],
    );
}

#[test]
fn p17_a_record_has_as_many_fields_as_its_table() {
    let header = "t_ms,user,session\n";
    refused(
        &format!("{header}1000,Doe, John,chat-1\n"),
        &["t:2", "4 fields", "3 columns", "in quotes", "RFC 4180"],
    );
    refused(
        &format!("{header}1000,ann\n2000,ann,x\n"),
        &["t:2", "2 fields"],
    );
    refused(&format!("{header}1000,ann,x,\n"), &["t:2", "4 fields"]);
    let more = loaded("t_ms,user,session,room\n1000,ann,x,blue\n");
    assert_eq!(events(&more.trace), ["1000 ann x"]);
    assert!(more.remarks[0].ends_with("not read: `room`"), "{more:?}");
}

#[test]
fn p18_nothing_is_there_twice() {
    refused(
        "t_ms,user,session,user\n1,a,k,b\n",
        &["t:1", "`user`", "keep one"],
    );
    refused(
        "t_ms,user,session,User\n1,a,k,b\n",
        &["t:1", "`User`", "keep one"],
    );
    refused(
        "t_ms,user,session,key\n1,a,k,b\n",
        &["t:1", "`key`", "keep one"],
    );
    refused(
        "t_ms,time_s,user,key\n1,1,a,k\n",
        &["t:1", "`time_s`", "keep one"],
    );
    refused(
        "t_ms,user,key,x,x\n1,a,k,1,2\n",
        &["t:1", "`x`", "keep one"],
    );
    let line = r#"{"t_ms":1,"user":"a","key":"k","kind":"in","user":"b"}"#;
    refused(&format!("{line}\n"), &["t:1", "`user` is given twice"]);
    let line = r#"{"t_ms":1,"user":"a","key":"k","session":"j","kind":"in"}"#;
    refused(&format!("{line}\n"), &["t:1", "`key` and `session`"]);
    let line = r#"{"settings":{"reserve":1,"reserve":2}}"#;
    refused(&format!("{line}\n"), &["t:1", "`reserve` is given twice"]);
}

#[test]
fn p19_a_last_line_that_was_cut_is_left_out_and_told() {
    let line = |number| vec![(PathBuf::from("t"), number)];
    for (text, cut) in [
        ("1 2 1082040961\n1 2 10", 2),
        ("1 2 1082040961\n1 2 108204096", 2),
        ("1 2 1082040961\n1 2 ", 2),
        ("1 2 1082040961\n1", 2),
        ("1 2 1 1082040961\n1 2 1", 2),
        ("1,2,1082040961\n1,2,", 2),
        ("user,key,t_ms\na,k,9000\na,k,90", 3),
        ("t_ms,user,key\n9000,a,k\n9001,a", 3),
        ("t_ms,user,key\n9000,a,k\n9001,a,\"k", 3),
        (
            "{\"t_ms\":1,\"user\":\"a\",\"key\":\"k\",\"kind\":\"in\"}\n{\"t_ms\":1",
            2,
        ),
    ] {
        let found = loaded(text);
        assert_eq!(found.cut_off, line(cut), "{text:?}");
        assert!(events(&found.trace).len() <= 2, "{text:?}");
    }
    // In the middle of a letter, and a block of a file that was never written.
    let whole = b"1 2 1082040961\n".as_slice();
    for end in [b"1 \xc3".as_slice(), b"1 2\0\0\0\0"] {
        let found = load(&[whole, end].concat()).unwrap();
        assert_eq!(found.cut_off, line(2));
    }
    // Whole as far as anything can say.
    let whole = loaded("1 2 1082040961\n1 3 1082040961");
    assert_eq!((whole.trace.events.len(), whole.cut_off.len()), (4, 0));
    let short = loaded("t_ms,user,key\n9000,a,k\n9001,a,kay");
    assert_eq!((short.trace.events.len(), short.cut_off.len()), (2, 0));
    assert!(short.remarks[0].starts_with("t:3 does not end with a line feed"));
    // In the middle it is a mistake, and alone nothing is left.
    refused("1 2 1082040961\n1 2\n1 2 1082040962\n", &["t:2"]);
    refused("1 2", &["t:1"]);
}

#[test]
fn p19_a_packed_file_may_be_cut_too() {
    let line = |at: u64| format!("a{at} b {}\n", 1_082_040_961 + at);
    let text: String = (0..200_000).map(line).collect();
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let found = load(&packed[..packed.len() / 2]).unwrap();
    assert_eq!(found.cut_off.len(), 1);
    assert!(found.trace.events.len() > 10_000);
    assert_eq!(load(&packed).unwrap().trace.events.len(), 400_000);
}

#[test]
fn p20_more_disorder_than_a_minute_is_refused_or_put_in_order_on_request() {
    refused(
        "a b 7200\na c 10\n",
        &["t:2", "7190000 ms earlier", "--sort"],
    );
    let late = "t_ms,user,key\n100000,a,x\n20000,a,y\n";
    refused(late, &["t:3", "80000 ms earlier", "--sort"]);
    let sorting = Reading {
        sort: true,
        ..Reading::default()
    };
    for (text, first) in [("a b 7200\na c 10\n", "10000 c a"), (late, "20000 a y")] {
        let found = read_from(Path::new("t"), text.as_bytes(), &sorting).unwrap();
        assert_eq!(events(&found.trace)[0], first);
    }
    let mended = loaded("a b 7200\na c 7190\n");
    assert_eq!(events(&mended.trace)[0], "7190000 c a");
}

#[test]
fn p21_a_byte_order_mark_is_ignored() {
    let json = r#"{"t_ms":1,"user":"a","key":"k","kind":"in"}"#;
    for text in [
        "1 2 10\n3 4 11\n",
        "t_ms,user,key\n1,a,k\n",
        "src dst time\n1 2 10\n",
        &format!("{json}\n"),
    ] {
        let marked = loaded(&format!("\u{feff}{text}"));
        assert_eq!(marked.trace, loaded(text).trace, "{text}");
        let packed = zstd::encode_all(format!("\u{feff}{text}").as_bytes(), 1).unwrap();
        assert_eq!(load(&packed).unwrap().trace, marked.trace, "{text}");
    }
    refused("1 2 10\n\u{feff}1 2 11\n", &["t:2", "byte order mark"]);
}

#[test]
fn p22_other_encodings_are_named() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        let bytes = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    };
    let log = "1 2 10\n3 4 11\n";
    let marked = format!("\u{feff}{log}");
    for bytes in [
        utf16(log, true),
        utf16(log, false),
        utf16(&marked, true),
        utf16(&marked, false),
    ] {
        assert!(refusal(&bytes).starts_with("t: UTF-16 text; "), "{bytes:?}");
    }
    for (head, name) in [
        (b"\x1f\x8b\x08\0".as_slice(), "gzip"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"PK\x03\x04", "zip"),
        (b"\x04\x22\x4d\x18", "LZ4"),
        (b"PAR1", "Parquet"),
        (b"\xff\xfe\0\0", "UTF-32"),
    ] {
        let report = refusal(&[head, b"and so on\n"].concat());
        assert!(report.contains(name), "{report}");
    }
    refused("[{\"t_ms\":1}]\n", &["t:1", "a JSON list", "jq"]);
}

#[test]
fn p28_a_trace_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    std::fs::write(&path, "1 2 10\n").unwrap();
    let again = folder.path().join(".").join("log.txt");
    let paths = [path.clone(), again];
    assert!(matches!(distinct(&paths), Err(TraceError::Twice(_))));
    let error = read(&paths, &Reading::default()).unwrap_err().to_string();
    assert!(error.contains("is named twice"), "{error}");
    assert!(read(&paths[..1], &Reading::default()).is_ok());
}
