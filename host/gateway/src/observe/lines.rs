//! The way of every log line to where it is written: so many of a kind a second, one line each, and
//! nothing in it that a terminal would act on.
//!
//! A kind is the place in the sources that a line comes from. So whatever is logged is bounded, also
//! where nobody thought of who could cause it; a [`Throttle`](super::Throttle) at the place itself says
//! more, and sooner. Lines of policies have their own quota, and who turns `debug` on wants to see all.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use wastegate_core::types::{Clock, Timestamp, visible};

/// What lines are counted by.
const WINDOW: Duration = Duration::from_secs(1);
/// Where the lines of policies come from.
const POLICIES: &str = "policy";

/// How many lines of each kind there were lately.
#[derive(Debug)]
pub(super) struct Floods {
    clock: Clock,
    per_window: u32,
    // A lock, because any task logs; held for one look-up. Kinds are places in the sources: a bounded
    // number.
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

#[derive(Debug)]
struct Kind {
    meta: &'static Metadata<'static>,
    since: Timestamp,
    written: u32,
    left_out: u64,
}

/// Lines of a kind that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) target: &'static str,
    pub(super) source: String,
    pub(super) lines: u64,
}

impl Floods {
    pub(super) fn new(per_window: NonZeroU32, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            per_window: per_window.get(),
            kinds: Mutex::default(),
        })
    }

    /// Whether a line may be written now, and if so how many of its kind before it were not.
    fn pass(&self, meta: &'static Metadata<'static>) -> Option<u64> {
        if *meta.level() > Level::INFO || meta.target() == POLICIES {
            return Some(0);
        }
        let now = self.clock.now();
        let mut kinds = self.kinds.lock();
        let kind = kinds.entry(meta.callsite()).or_insert(Kind {
            meta,
            since: now,
            written: 0,
            left_out: 0,
        });
        if now.since(kind.since) >= WINDOW {
            (kind.since, kind.written) = (now, 0);
        }
        if kind.written < self.per_window {
            kind.written += 1;
            Some(std::mem::take(&mut kind.left_out))
        } else {
            kind.left_out = kind.left_out.saturating_add(1);
            None
        }
    }

    /// What was left out of floods that have ended. It is told once.
    pub(super) fn over(&self) -> Vec<LeftOut> {
        let now = self.clock.now();
        let mut kinds = self.kinds.lock();
        let ended = kinds.values_mut();
        let ended = ended.filter(|kind| kind.left_out > 0 && now.since(kind.since) >= WINDOW);
        ended
            .map(|kind| LeftOut {
                target: kind.meta.target(),
                source: match (kind.meta.file(), kind.meta.line()) {
                    (Some(file), Some(line)) => format!("{file}:{line}"),
                    _ => String::new(),
                },
                lines: std::mem::take(&mut kind.left_out),
            })
            .collect()
    }
}

/// Makes a writer for each line.
pub(super) struct Lines<W> {
    pub(super) to: W,
    pub(super) coloured: bool,
    pub(super) json: bool,
    pub(super) floods: Arc<Floods>,
}

/// Takes one line.
pub(super) struct Line<W> {
    /// None leaves it out.
    to: Option<W>,
    coloured: bool,
    json: bool,
    left_out: u64,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        self.line(Some(self.to.make_writer()), 0)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        match self.floods.pass(known(meta)) {
            Some(left_out) => self.line(Some(self.to.make_writer_for(meta)), left_out),
            None => self.line(None, 0),
        }
    }
}

/// The metadata of the place that a line comes from, which lives as long as the program.
fn known(meta: &Metadata<'_>) -> &'static Metadata<'static> {
    meta.callsite().0.metadata()
}

impl<W> Lines<W> {
    const fn line<T>(&self, to: Option<T>, left_out: u64) -> Line<T> {
        Line {
            to,
            coloured: self.coloured,
            json: self.json,
            left_out,
        }
    }
}

impl<W: Write> Write for Line<W> {
    /// Takes one line from the formatter.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(to) = &mut self.to {
            let mut shown = visible::logged(line, self.coloured);
            add(&mut shown, self.left_out, self.json);
            to.write_all(shown.as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Adds to a line how many like it were left out before it.
fn add(line: &mut String, left_out: u64, json: bool) {
    let end = if json { "}\n" } else { "\n" };
    if left_out == 0 || !line.ends_with(end) {
        return;
    }
    line.truncate(line.len() - end.len());
    // Writing to a string cannot fail.
    let _ = if json {
        write!(line, ",\"like_it_left_out\":{left_out}")
    } else {
        write!(line, " like_it_left_out={left_out}")
    };
    line.push_str(end);
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, what: impl FnOnce(&Clock, &Floods)) -> Vec<String> {
        let (screen, clock) = (Screen::default(), Clock::manual());
        let floods = Floods::new(NonZeroU32::new(3).unwrap(), clock.clone());
        let to = screen.clone();
        let writer = Lines {
            to: move || to.clone(),
            coloured: false,
            json,
            floods: floods.clone(),
        };
        let format = tracing_subscriber::fmt::layer().with_writer(writer);
        let format: Box<dyn tracing_subscriber::Layer<_> + Send + Sync> = if json {
            Box::new(format.json().flatten_event(true))
        } else {
            Box::new(format.with_ansi(false))
        };
        let subscriber = tracing_subscriber::registry().with(format);
        tracing::subscriber::with_default(subscriber, || what(&clock, &floods));
        let bytes = screen.0.lock().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn refused(number: u32) {
        tracing::warn!(number, "refused");
    }

    #[test]
    fn a_flood_of_one_kind_is_a_few_lines_and_the_count_of_the_rest() {
        for json in [false, true] {
            let lines = logged(json, |clock, floods| {
                (0..300).for_each(refused);
                tracing::info!("something else");
                assert!(floods.over().is_empty(), "it goes on");
                clock.advance(WINDOW);
                refused(300);
                (0..10).for_each(refused);
                clock.advance(WINDOW);
                let over = floods.over();
                assert_eq!(over.len(), 1);
                assert_eq!(over[0].lines, 8);
                assert!(over[0].source.contains("lines.rs"), "{over:?}");
                assert!(floods.over().is_empty(), "it is told once");
            });
            assert_eq!(lines.len(), 3 + 1 + 3, "{lines:#?}");
            assert!(lines[3].contains("something else"));
            if json {
                let line: serde_json::Value = serde_json::from_str(&lines[4]).unwrap();
                assert_eq!(line["like_it_left_out"], 297, "{line}");
            } else {
                assert!(lines[4].ends_with("like_it_left_out=297"), "{}", lines[4]);
            }
        }
    }

    #[test]
    fn who_turns_debug_on_sees_all_and_policies_have_their_own_quota() {
        let lines = logged(false, |_, _| {
            for number in 0..20 {
                tracing::debug!(number, "detail");
                tracing::warn!(target: "policy", number, "a policy's word");
            }
        });
        assert_eq!(lines.len(), 40);
    }
}
