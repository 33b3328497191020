//! What is on the screen, in terminals of several sizes and with names that would act on them.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use serde_json::{Value, json};

use super::look::Past;
use super::state::{Look, News, State, Then};
use super::*;
use crate::cli::users::Order;
use wastegate_core::types::visible::is_acted_on;

/// Names that clear a screen, turn the direction of writing, begin a line, are wide, or combine.
const HOSTILE: [&str; 6] = [
    "ann\u{1b}[2J\u{1b}[31m",
    "\u{202e}nna",
    "two\nlines\r\tand a tab",
    "用户用户用户用户用户用户用户用户用户用户用户用户用户用户",
    "e\u{301}e\u{301}👩‍👩‍👧‍👦",
    "a name that has a hundred letters or more, as that of somebody who wants to push everything else out of the screen",
];
const SIZES: [(u16, u16); 3] = [(80, 24), (40, 12), (200, 60)];

fn user(name: &str, held: u32) -> Value {
    json!({
        "user": name, "held": held, "limit": 20, "lent": 3, "pressure": "emergency", "evicted": 7,
        "levers": { "limit": null, "block": {
            "by": name, "reason": "spam", "set_unix_ms": 0, "until_unix_ms": null,
        } },
    })
}

fn status(problems: &[&str]) -> Value {
    json!({
        "well": problems.is_empty(), "problems": problems, "draining": false, "node": "node-1", "version": "0.1.0",
        "uptime_ms": 7_500_000, "managers": 20, "managers_limit": 100_000, "users": 2, "connections": 21,
        "connections_limit": 65_000, "pressed": { "emergency": 1 }, "queued": 0, "refused": 3,
        "health": { "alive": 20 }, "ranked_by": ["lru r1"], "fullest": [], "backends": [],
        "rss_bytes": 83_886_080, "memory_bytes_limit": 0, "open_fds": 30, "open_fds_limit": 1_024,
    })
}

fn past() -> Past {
    let ramp: Vec<Option<f64>> = (0..600)
        .map(|at| (at > 99).then(|| f64::from(at % 60)))
        .collect();
    Past::new(serde_json::from_value(json!({
        "step_ms": 1_000, "end_unix_ms": 0,
        "series": {
            "connections": ramp, "admitted": vec![2.0; 600], "refused": vec![0.5; 600], "evicted": vec![0.0; 600],
        },
    })).unwrap())
}

/// A look at a server with these users.
fn look(state: &State, status: Value, users: &[Value]) -> News {
    let slots = state.open.as_ref().map(|name| {
        let mut answer = user(name, 20);
        answer["managers"] = (0..20).map(|at| json!({
            "key": format!("{name}-{at}"), "standing": "attached", "health": "half-open",
            "protection": { "level": "evictable" }, "signals": { "age-ms": 90_000.0, "idle-ms": 100.5, "silence-ms": null },
        })).collect();
        Ok(serde_json::from_value(answer).unwrap())
    });
    News::Looked(Box::new(Look {
        wanted: state.wanted(),
        unix_ms: 0,
        status: serde_json::from_value(status).unwrap(),
        users: serde_json::from_value(
            json!({ "users": users, "total": users.len(), "next_cursor": null }),
        )
        .unwrap(),
        past: Some(past()),
        user: slots,
    }))
}

fn hostile() -> State {
    let mut state = State::new("http://127.0.0.1:9090", Order::Pressure, "", false);
    let users: Vec<Value> = HOSTILE.iter().map(|name| user(name, 20)).collect();
    state.hear(look(&state, status(&[]), &users));
    let told = HOSTILE
        .iter()
        .map(|name| format!("14:02:11Z  {name}"))
        .collect();
    state.hear(News::Happened(told));
    state
}

fn press(state: &mut State, code: KeyCode) -> Then {
    state.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

/// Draws as the program does, into a terminal in memory; what it shows, and whether anything is coloured.
fn drawn(state: &mut State, (width, height): (u16, u16)) -> (String, bool) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw::screen(frame.area(), frame.buffer_mut(), state))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let acted_on = buffer.content().iter().find(|cell| {
        cell.symbol()
            .contains(|c| is_acted_on(c) || c == '\n' || c == '\t')
    });
    assert!(acted_on.is_none(), "{acted_on:?}");
    let is_coloured = buffer
        .content()
        .iter()
        .any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
    (terminal.backend().to_string(), is_coloured)
}

#[test]
fn every_size_shows_what_matters_whatever_names_hold() {
    for size in SIZES {
        let mut state = hostile();
        let (shown, is_coloured) = drawn(&mut state, size);
        assert!(is_coloured);
        for text in [
            "wastegate 0.1.0",
            "WELL",
            "connections 21 of 65,000",
            "USERS by pressure: 6",
            "USER",
            "HELD",
            "emergency",
            "> ann\\u001b",
            "q quit",
        ] {
            assert!(shown.contains(text), "{size:?}: {text}\n{shown}");
        }
        assert!(
            shown.contains("14:02:11Z  a name that has"),
            "{size:?}\n{shown}"
        );
        let is_wide = size.0 >= 80;
        for text in [
            "LENT",
            "EVICTED",
            "\\u202enna",
            "admitted/s",
            "█",
            "up 2.08 h",
            "admitted 2.0/s",
            "1 emergency",
            "ranked by lru r1",
        ] {
            assert!(
                shown.contains(text) || !is_wide,
                "{size:?}: {text}\n{shown}"
            );
        }
        assert_eq!(
            shown.contains("blocked until it is taken back"),
            size.0 >= 200,
            "{shown}"
        );

        press(&mut state, KeyCode::Enter);
        state.hear(look(&state, status(&[]), &[user(HOSTILE[0], 20)]));
        let (shown, _) = drawn(&mut state, size);
        for text in ["ann\\u001b", "KEY", "HEALTH", "half-open", "Esc back"] {
            assert!(shown.contains(text), "{size:?}: {text}\n{shown}");
        }
        assert!(shown.contains("PROTECTION") || !is_wide, "{shown}");
    }
}

#[test]
fn a_text_of_a_frame_is_the_screen_without_colours() {
    let mut state = hostile();
    let text = frame(&mut state, 80, 24);
    assert_eq!(text.lines().count(), 24);
    assert!(
        text.lines()
            .all(|line| !line.contains(is_acted_on) && !line.ends_with(' ')),
        "{text}"
    );
    assert!(text.contains("用户用户"), "{text}");
}

#[test]
fn no_colours_where_none_are_wanted_and_no_panic_in_any_size() {
    let mut state = hostile();
    state.is_plain = true;
    for width in (1..90).step_by(3) {
        for height in (1..32).step_by(2) {
            let (shown, is_coloured) = drawn(&mut state, (width, height));
            assert!(!is_coloured, "{width}x{height}");
            assert!(
                width < 24 || height < 7 || shown.contains("USERS"),
                "{width}x{height}\n{shown}"
            );
        }
    }
}

#[test]
fn what_is_wrong_is_said_and_a_server_that_is_away_since_when() {
    let mut state = hostile();
    let problems = [
        "no backend is there: new clients are answered 502",
        "two",
        "three",
        "four",
    ];
    state.hear(look(&state, status(&problems), &[]));
    let (shown, _) = drawn(&mut state, (80, 24));
    assert!(
        shown.contains("NOT WELL  no backend is there") && shown.contains("three  (and 1 more)"),
        "{shown}"
    );
    let (shown, _) = drawn(&mut state, (40, 12));
    assert!(
        shown.contains("NOT WELL") && shown.contains("(and 3 more)"),
        "{shown}"
    );

    state.hear(News::Lost {
        since_unix_ms: 1_795_466_655_000,
        why: "connection refused".to_owned(),
    });
    let (shown, _) = drawn(&mut state, (80, 24));
    assert!(
        shown.contains("DISCONNECTED since 20:44:15Z: connection refused"),
        "{shown}"
    );
    // What was known stays.
    assert!(shown.contains("connections 21"), "{shown}");
    state.hear(look(&state, status(&[]), &[]));
    let (shown, _) = drawn(&mut state, (80, 24));
    assert!(
        shown.contains("WELL") && !shown.contains("DISCONNECTED"),
        "{shown}"
    );
}

#[test]
fn keys_sort_filter_move_open_and_quit() {
    let mut state = hostile();
    drawn(&mut state, (80, 24));
    assert_eq!(state.wanted().limit, 50);
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::PageDown);
    assert_eq!(state.users.selected(), Some(HOSTILE.len() - 1));
    // The selection stays with its user.
    let moved: Vec<Value> = HOSTILE.iter().rev().map(|name| user(name, 20)).collect();
    state.hear(look(&state, status(&[]), &moved));
    assert_eq!(state.users.selected(), Some(0));

    press(&mut state, KeyCode::Char('e'));
    assert_eq!(state.wanted().order, Order::Evicted);
    for code in [
        KeyCode::Char('/'),
        KeyCode::Char('q'),
        KeyCode::Char('x'),
        KeyCode::Backspace,
    ] {
        assert_eq!(press(&mut state, code), Then::Stay);
    }
    assert_eq!(
        (state.wanted().filter.as_str(), state.is_typing),
        ("q", true)
    );
    assert!(drawn(&mut state, (80, 24)).0.contains("filter: q_"));
    press(&mut state, KeyCode::Enter);
    press(&mut state, KeyCode::Enter);
    assert!(state.wanted().user.is_some());
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.wanted().user, None);
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.wanted().filter, "");
    let long = Event::Paste("x".repeat(1_000));
    press(&mut state, KeyCode::Char('/'));
    state.event(&long);
    assert_eq!(state.wanted().filter.len(), 64);
    let control = |letter| Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
    assert_eq!(state.event(&control('x')), Then::Stay);
    assert_eq!(state.event(&control('c')), Then::Quit);
    press(&mut state, KeyCode::Esc);
    assert_eq!(press(&mut state, KeyCode::Char('q')), Then::Quit);
}

#[test]
fn the_interval_has_a_range() {
    assert_eq!(every("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(every("1m"), Ok(Duration::from_secs(60)));
    for wrong in [
        "",
        "2",
        "499ms",
        "61s",
        "0s",
        "-1s",
        "1.5s",
        "99999999999999999999m",
    ] {
        assert_eq!(
            every(wrong),
            Err("give 500ms to 1m, such as 2s".to_owned()),
            "{wrong}"
        );
    }
}

#[test]
fn a_cell_of_a_plot_is_the_mean_of_its_seconds() {
    let values: Vec<Option<f64>> = (0..600).map(|at| Some(f64::from(at))).collect();
    let cells = draw::squeezed(&values, 100);
    assert_eq!(cells.len(), 100);
    assert_eq!(cells.last().copied().flatten(), Some(598.0));
    assert_eq!(draw::squeezed(&[None, None, Some(4.0)], 100), [Some(4.0)]);
    assert_eq!(draw::squeezed(&[], 100), []);
}
