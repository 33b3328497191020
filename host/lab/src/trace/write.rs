//! Writing a trace in the canonical form, so that what was imported or cut can be read again.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::event::{Hint, RefusingLimit, Trace, TraceEvent, TraceEventKind};
use super::read::LoadedTrace;
use super::settings::RecorderSettings;

/// Writes every event as a line, and what the recorder wrote beside them: its settings at each of its starts,
/// how many events it dropped, decisions, background passes and users' limits.
///
/// # Errors
/// When `out` does not take it.
pub fn write(loaded: &LoadedTrace, out: &mut dyn Write) -> io::Result<()> {
    let LoadedTrace { trace, dropped, .. } = loaded;
    let settings = loaded.settings.as_ref();
    let mut starts = trace.notes.starts.iter().copied().peekable();
    let first_ms = trace.events.first().map_or(u64::MAX, |event| event.at_ms);
    if let Some(settings) = settings
        && starts.peek().is_none_or(|start| *start > first_ms)
    {
        // Where the beginning was cut off, what comes first is the beginning.
        begin(settings, None, out)?;
    }
    if *dropped > 0 {
        writeln!(out, "{}", json!({ "t_ms": first_ms, "dropped": dropped }))?;
    }
    let mut asides = trace.notes.asides(trace).into_iter().peekable();
    for event in &trace.events {
        let is_due = |at_ms: u64| at_ms <= event.at_ms;
        while let Some(start) = starts.next_if(|start| is_due(*start)) {
            if let Some(settings) = settings {
                begin(settings, Some(start), out)?;
            }
        }
        while let Some(aside) = asides.next_if(|aside| is_due(aside.at_ms())) {
            writeln!(out, "{}", json!(aside))?;
        }
        writeln!(out, "{}", line(trace, event))?;
    }
    asides.try_for_each(|aside| writeln!(out, "{}", json!(aside)))
}

/// The line by which a recorder begins.
fn begin(settings: &RecorderSettings, t_ms: Option<u64>, out: &mut dyn Write) -> io::Result<()> {
    let settings = RecorderSettings {
        t_ms,
        ..settings.clone()
    };
    writeln!(out, "{}", json!({ "settings": settings }))
}

fn line(trace: &Trace, event: &TraceEvent) -> Value {
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    let user = trace.users.get(event.user as usize);
    let session = trace.sessions.get(event.session as usize);
    put("t_ms", json!(event.at_ms));
    put("user", json!(user.map_or("", |user| user)));
    put("key", json!(session.map_or("", |session| &*session.key)));
    let device = event.device.and_then(|at| trace.devices.get(at as usize));
    if let Some(device) = device {
        put("device", json!(&**device));
    }
    put("kind", json!(event.kind.name()));
    // What is zero is what its absence means.
    let mut number = |name: &str, value: u64| {
        if value > 0 {
            line.insert(name.to_owned(), json!(value));
        }
    };
    match event.kind {
        TraceEventKind::Open { wait_ms } => number("wait_ms", wait_ms.into()),
        TraceEventKind::Refuse { wait_ms, by } => {
            number("wait_ms", wait_ms.into());
            let why = match by {
                RefusingLimit::Untold => None,
                RefusingLimit::User => Some("user-limit"),
                RefusingLimit::Other => Some("other"),
            };
            line.extend(why.map(|why| ("why".to_owned(), json!(why))));
        }
        TraceEventKind::Echo { decision } | TraceEventKind::Silent { decision } => {
            line.extend(decision.map(|decision| ("decision".to_owned(), json!(decision))));
        }
        TraceEventKind::Health {
            health,
            probed,
            taken_over,
            expected,
        } => {
            line.insert("health".to_owned(), json!(health));
            let flags = [
                ("probed", probed),
                ("taken_over", taken_over),
                ("expected", expected),
            ];
            for (name, is) in flags {
                line.extend(is.then(|| (name.to_owned(), json!(true))));
            }
        }
        TraceEventKind::In { n, bytes, last_ms } | TraceEventKind::Out { n, bytes, last_ms } => {
            number("n", if n > 1 { n.into() } else { 0 });
            number("bytes", bytes);
            number("last_ms", last_ms.into());
        }
        TraceEventKind::Ping { last_ms } | TraceEventKind::Pong { last_ms } => {
            number("last_ms", last_ms.into())
        }
        TraceEventKind::Evict { tier, decision } => {
            if let Some(tier) = tier {
                line.insert("tier".to_owned(), json!(tier));
            }
            if let Some(decision) = decision {
                line.insert("decision".to_owned(), json!(decision));
            }
        }
        TraceEventKind::Hint(hint) => {
            let (name, value) = match hint {
                Hint::Priority(priority) => ("priority", i64::from(priority)),
                Hint::InFlight(units) => ("in-flight", units.into()),
                Hint::DeviceClass(code) => ("device-class", code.into()),
                Hint::Protect(protected) => ("protect", protected.into()),
                Hint::Pin { for_ms } => ("pin", i64::try_from(for_ms).unwrap_or(i64::MAX)),
            };
            line.insert("hint".to_owned(), json!(name));
            line.insert("value".to_owned(), json!(value));
        }
        TraceEventKind::Attach
        | TraceEventKind::Visible
        | TraceEventKind::Hidden
        | TraceEventKind::Detach
        | TraceEventKind::Close
        | TraceEventKind::Die
        | TraceEventKind::DieSilently
        | TraceEventKind::Back => {}
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::trace::Reading;
    use crate::trace::builder::TraceBuilder;
    use crate::trace::read::read_from;
    use crate::trace::slice::{Part, slice};
    use wastegate_core::types::{Health, Tier};

    fn any_kind() -> impl Strategy<Value = TraceEventKind> {
        prop_oneof![
            (0..9_u32).prop_map(|wait_ms| TraceEventKind::Open { wait_ms }),
            (1..9_u32, 0..99_u64, 0..999_u32).prop_map(|(n, bytes, last_ms)| TraceEventKind::In {
                n,
                bytes,
                last_ms
            }),
            (1..9_u32, 0..99_u64, 0..999_u32).prop_map(|(n, bytes, last_ms)| TraceEventKind::Out {
                n,
                bytes,
                last_ms
            }),
            (0..999_u32).prop_map(|last_ms| TraceEventKind::Ping { last_ms }),
            (0..999_u32).prop_map(|last_ms| TraceEventKind::Pong { last_ms }),
            (-5..5_i32).prop_map(|priority| TraceEventKind::Hint(Hint::Priority(priority))),
            any::<bool>().prop_map(|protect| TraceEventKind::Hint(Hint::Protect(protect))),
            (0..9_u64).prop_map(|for_ms| TraceEventKind::Hint(Hint::Pin { for_ms })),
            (0..5_usize, prop::option::of(0..9_u64)).prop_map(|(tier, decision)| {
                TraceEventKind::Evict {
                    tier: Tier::ALL.get(tier).copied(),
                    decision,
                }
            }),
            Just(TraceEventKind::Attach),
            Just(TraceEventKind::Visible),
            Just(TraceEventKind::Detach),
            Just(TraceEventKind::Close),
            Just(TraceEventKind::DieSilently),
            prop::option::of(0..9_u64).prop_map(|decision| TraceEventKind::Silent { decision }),
            prop::option::of(0..9_u64).prop_map(|decision| TraceEventKind::Echo { decision }),
            (0..7_usize, any::<(bool, bool, bool)>()).prop_map(
                |(at, (probed, taken_over, expected))| {
                    TraceEventKind::Health {
                        health: Health::ALL[at],
                        probed,
                        taken_over,
                        expected,
                    }
                }
            ),
            (0..3_usize).prop_map(|at| TraceEventKind::Refuse {
                wait_ms: 0,
                by: [
                    RefusingLimit::Untold,
                    RefusingLimit::User,
                    RefusingLimit::Other
                ][at],
            }),
            Just(TraceEventKind::Back),
        ]
    }

    fn again(loaded: &LoadedTrace) -> LoadedTrace {
        let mut text = Vec::new();
        write(loaded, &mut text).unwrap();
        read_from(Path::new("t"), &*text, &Reading::default()).unwrap()
    }

    #[test]
    fn what_a_recorder_wrote_beside_the_events_is_written_again() {
        let settings = r#"{"managers_per_user":2,"sweep_interval_ms":5000,"tiers":{"force":{"enabled":true,"admits":["live"],"probe":"round","take":"needed"}}"#;
        let policy = r#"{"name":"lru","version":"1.0.0","digest":"ab"}"#;
        let lines = [
            format!(r#"{{"settings":{settings},"t_ms":90}}}}"#),
            r#"{"t_ms":100,"user":"ann","key":"a","kind":"open"}"#.to_owned(),
            r#"{"dropped":3}"#.to_owned(),
            r#"{"sweep":{"t_ms":101}}"#.to_owned(),
            r#"{"limit":{"t_ms":102,"user":"ann","managers":null}}"#.to_owned(),
            r#"{"limit":{"t_ms":104,"user":"bob","managers":1}}"#.to_owned(),
            format!(
                r#"{{"decision":{{"t_ms":110,"user":"ann","id":7,"tier":"force","scope":"user","needed":1,"limit":2,"held":2,"last":true,"policy":{policy},"params":[0.5],"arm":"x/1/b","seed":9,"spared":["a"]}}}}"#
            ),
            r#"{"t_ms":120,"user":"ann","key":"a","kind":"evict","tier":"force","decision":7}"#
                .to_owned(),
            format!(r#"{{"settings":{settings},"t_ms":200}}}}"#),
            r#"{"t_ms":200,"user":"bob","key":"b","kind":"open"}"#.to_owned(),
            r#"{"sweep":{"t_ms":205}}"#.to_owned(),
        ];
        let text = lines.join("\n");
        let read = |text: &str| read_from(Path::new("t"), text.as_bytes(), &Reading::default());
        let loaded = read(&text).unwrap();
        let notes = &loaded.trace.notes;
        assert_eq!(
            (notes.starts.len(), notes.sweeps.len(), notes.limits.len()),
            (2, 2, 2)
        );
        assert_eq!((notes.decisions.len(), notes.is_complete), (1, true));
        let again = again(&loaded);
        assert_eq!(again.trace, loaded.trace);
        assert_eq!(
            (again.settings, again.dropped),
            (loaded.settings.clone(), loaded.dropped)
        );
        // A part has what belongs to it.
        let part = Part {
            users: vec!["bob".to_owned()],
            from_ms: 102,
            ..Part::default()
        };
        let cut = LoadedTrace {
            trace: slice(&loaded.trace, &part).unwrap(),
            ..loaded
        };
        let notes = &cut.trace.notes;
        assert_eq!(
            (&*notes.starts, &*notes.sweeps),
            (&[90, 200][..], &[205][..])
        );
        assert_eq!((notes.limits.len(), notes.decisions.len()), (1, 0));
        assert!(notes.is_complete);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            events in prop::collection::vec(
                (0..500_u64, 0..3_u8, 0..3_u8, prop::option::of(0..2_u8), any_kind()),
                1..60,
            ),
        ) {
            let (mut builder, mut at_ms) = (TraceBuilder::default(), 0);
            for (step, user, key, device, kind) in events {
                at_ms += step;
                let device = device.map(|device| format!("d{device}"));
                let raw = crate::trace::builder::RawEvent {
                    at_ms,
                    user: &format!("user {user}, \"quoted\""),
                    key: &format!("k{key}"),
                    device: device.as_deref(),
                    kind,
                };
                builder.add(raw).unwrap();
            }
            let loaded = LoadedTrace::from(builder.build());
            prop_assert_eq!(again(&loaded).trace, loaded.trace);
        }
    }
}
