//! P23: units, separators, headers and names, taken by what a file says of itself or refused.

use std::path::Path;

use proptest::prelude::*;

use super::{events, load, loaded, refused};
use crate::trace::TimeUnit;
use crate::trace::read::{Reading, read_from};

#[test]
fn p23_units_are_taken_by_name_or_refused() {
    let ms = "1 2 1082040961\n1 2 1082040961000\n";
    refused(
        ms,
        &["t:2", "`1082040961000`", "2004-04-15", "--time-unit ms"],
    );
    refused("1 2 1082040961000000\n", &["t:1", "--time-unit us"]);
    refused("1 2 1082040961000000000\n", &["t:1", "--time-unit ns"]);
    let table = |time: &str, at: &str| format!("{time},user,session\n{at},a,k\n");
    refused(
        &table("t_ms", "1082040961"),
        &["t:2", "`t_ms`", "1970-01-13", "--time-unit s`"],
    );
    refused(
        &table("t_ms", "1082040961000000"),
        &["t:2", "--time-unit us"],
    );
    refused(
        "{\"t_ms\":1082040961,\"user\":\"a\",\"key\":\"k\",\"kind\":\"in\"}\n",
        &["t:1", "--time-unit s`"],
    );
    refused(
        &table("timestamp", "10"),
        &["t:1", "`timestamp`", "--time-unit"],
    );
    for (name, at) in [
        ("t_s", "1082040961"),
        ("UnixTime", "1082040961"),
        ("time_ms", "1082040961000"),
        ("timestamp_us", "1082040961000000"),
        ("ts_ns", "1082040961000000000"),
    ] {
        let found = loaded(&table(name, at));
        assert_eq!(events(&found.trace), ["1082040961000 a k"], "{name}");
        assert!(found.taken[0].1.contains(&format!("time `{name}` in")));
    }
    for (unit, text) in [
        (TimeUnit::Seconds, table("t_ms", "1082040961")),
        (TimeUnit::Milliseconds, table("timestamp", "1082040961000")),
        (TimeUnit::Microseconds, table("time", "1082040961000000")),
    ] {
        let reading = Reading {
            time_unit: Some(unit),
            ..Reading::default()
        };
        let found = read_from(Path::new("t"), text.as_bytes(), &reading).unwrap();
        assert_eq!(events(&found.trace), ["1082040961000 a k"], "{text}");
    }
    refused("1 2 1.082041e+09\n", &["t:1", "unixtime", "1.082041e+09"]);
    // Of its own beginning, both.
    assert_eq!(events(&loaded("1 2 0\n").trace)[0], "0 2 1");
    assert_eq!(events(&loaded(&table("t_ms", "0")).trace), ["0 a k"]);
}

#[test]
fn p23_separators_and_names_are_found() {
    let plain = loaded("t_ms,user,session\n1000,ann,red\n").trace;
    for text in [
        "t_ms\tuser\tsession\n1000\tann\tred\n",
        "t_ms;user;session\n1000;ann;red\n",
        "t_ms|user|session\n1000|ann|red\n",
        "t_ms user session\n1000 ann red\n",
        "T_MS,User,SESSION\n1000,ann,red\n",
        "t_ms, user, session\n1000,ann,red\n",
        "\"t_ms\",\"user\",\"session\"\r\n1000,ann,red\r\n",
        "session;t_ms;user\nred;1000;ann\n",
    ] {
        assert_eq!(loaded(text).trace, plain, "{text:?}");
    }
    let semicolons = loaded("t_ms;user;session\n1000;Doe, John;red\n");
    assert_eq!(events(&semicolons.trace), ["1000 Doe, John red"]);
    let header = "when,who,room\n1,a,k\n";
    refused(
        header,
        &["t:1", "`when`, `who`, `room`", "`t_ms`, `user`", "`src`"],
    );
    refused(
        "t_ms,who,room\n1,a,k\n",
        &["t:1", "`user`", "`who`, `room`"],
    );
    let json = r#"{"time":1,"user":"a","key":"k","kind":"in"}"#;
    refused(&format!("{json}\n"), &["t:1", "`time`", "--time-unit"]);
    let json = r#"{"at":1,"user":"a","key":"k","kind":"in"}"#;
    refused(&format!("{json}\n"), &["t:1", "`at`", "`t_ms` is missing"]);
}

#[test]
fn p23_a_header_of_a_message_log_is_skipped() {
    let plain = loaded("1 2 10\n").trace;
    for text in [
        "src dst time\n1 2 10\n",
        "SRC,DST,UNIXTIME\n1,2,10\n",
        "source\ttarget\ttimestamp\n1\t2\t10\n",
        "# made by hand\nfrom to ts\n1 2 10\n",
        "time,src,dst\n10,1,2\n",
        "src;dst;t_ms\n1;2;10000\n",
        "src,dst,weight,time\n1,2,5,10\n",
    ] {
        assert_eq!(loaded(text).trace, plain, "{text:?}");
    }
    refused(
        "1082040961 1 2\n",
        &["t:1", "begin with the time", "time src dst"],
    );
    assert_eq!(loaded("time src dst\n10 1 2\n").trace, plain);
    refused("src dst\n1 2\n", &["t:1", "`src`, `dst`"]);
    refused("a b c\n1 2 10\n", &["t:1", "`a`, `b`, `c`"]);
    refused("src dst time\n1 2\n", &["t:2", "`1 2`"]);
    refused("1 2 10\nsrc dst time\n", &["t:2", "`src dst time`"]);
}

#[test]
fn p23_names_stay_as_they_are_written() {
    let numbers = loaded("1 10 5\n01 2 6\n").trace;
    assert_eq!(
        events(&numbers),
        ["5000 10 1", "5000 1 10", "6000 2 01", "6000 01 2"]
    );
    let spaced = loaded("t_ms,user,key\n1, a,k\n2,a,k \n").trace;
    assert_eq!(events(&spaced), ["1  a k", "2 a k "]);
    refused("#general bob 10\n", &["t:1", "comment"]);
    let comments = loaded("# 1 2 3\n#\n%% x\n#no message\n1 2 10\n% 5 5 5\n");
    assert_eq!(comments.trace.events.len(), 2);
    refused("1 2 10\r3 4 11\r", &["t:1", "carriage return"]);
}

proptest! {
    /// Any name comes back as it was, whatever it holds, when it stands in quotes.
    #[test]
    fn p16_quoted_names_come_back(
        names in prop::collection::vec(("[^\0\u{feff}]{1,12}", "[ -~\r\n]{1,12}"), 1..8),
        separator in prop::sample::select(vec![',', ';', '\t', '|']),
    ) {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let named = |(user, key): &(String, String)| (format!("u{user}"), format!("k{key}"));
        let names: Vec<(String, String)> = names.iter().map(named).collect();
        let mut table = ["t_ms", "user", "key"].join(&separator.to_string()) + "\n";
        for (user, key) in &names {
            table += &["7", &quoted(user), &quoted(key)].join(&separator.to_string());
            table += "\r\n";
        }
        let expected: Vec<String> =
            names.iter().map(|(user, key)| format!("7 {user} {key}")).collect();
        prop_assert_eq!(events(&loaded(&table).trace), expected);
    }

    /// Whatever a file holds, it is read or refused.
    #[test]
    fn p15_nothing_panics(
        text in "(t_ms,user,key\n|src dst time\n|)([0-9a-c,;\t |\"\r#%{}.\u{feff}-]{0,12}\n?){0,12}",
    ) {
        let _ = load(text.as_bytes());
    }
}
