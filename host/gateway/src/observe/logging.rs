//! Sets up log lines: where they go, how they look, which are written.
//!
//! Lines go to standard error. What is logged is each room's own matter; what may not be logged
//! (tokens, payload) is kept out by dropping it early, not by filtering here. Floods are held back
//! where they arise, by a [`Throttle`](super::Throttle), and whatever is not, on the way (`lines`). Foreign
//! text in a line is shown, and never acted on by the terminal: see [`visible`](wastegate_core::types::visible).

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::error::Error;
use super::lines::{Floods, LeftOut, Lines};
use wastegate_core::types::Clock;

/// Of the whole process, as the subscriber is.
static FLOODS: OnceLock<Arc<Floods>> = OnceLock::new();

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people: one line, coloured if a terminal shows it.
    #[default]
    Human,
    /// For machines: one JSON object a line.
    Json,
}

/// Whether lines are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Plain,
    Ansi,
}

/// Starts logging for the whole process. `filter` is in the syntax of `tracing`'s `EnvFilter`,
/// e.g. `info,wastegate=debug`; it is an argument because only `config` reads the environment. Of one
/// kind of line there are so many a second, see `lines`.
///
/// # Errors
/// [`Error::LogFilter`] when the filter does not parse, [`Error::LogTwice`] when logging has been
/// set up before.
pub fn init(filter: &str, format: LogFormat, repeats_per_s_max: NonZeroU32) -> Result<(), Error> {
    let colour = if std::io::stderr().is_terminal() {
        Colour::Ansi
    } else {
        Colour::Plain
    };
    let floods = Floods::new(repeats_per_s_max, Clock::system());
    let subscriber = subscriber(filter, format, colour, &floods, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|source| Error::LogTwice { source })?;
    FLOODS.get_or_init(|| floods);
    Ok(())
}

fn subscriber<W>(
    filter: &str,
    format: LogFormat,
    colour: Colour,
    floods: &Arc<Floods>,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).map_err(|source| Error::LogFilter {
        filter: filter.to_owned(),
        source,
    })?;
    let coloured = colour == Colour::Ansi && format == LogFormat::Human;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines {
            to: writer,
            coloured,
            json: format == LogFormat::Json,
            floods: floods.clone(),
        });
    Ok(match format {
        LogFormat::Human => Box::new(lines.with_ansi(coloured).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).finish()),
    })
}

/// Tells how many lines were left out of floods that have ended: see [`LogConfig::repeats_per_s_max`].
/// The server's main loop calls it once a second.
///
/// [`LogConfig::repeats_per_s_max`]: super::config::LogConfig::repeats_per_s_max
pub(crate) fn report_left_out() {
    for LeftOut {
        target,
        source,
        lines,
    } in FLOODS.get().map(|floods| floods.over()).unwrap_or_default()
    {
        tracing::warn!(
            of = target,
            source,
            lines,
            "log lines of one kind were left out (`observe.log.repeats_per_s_max`)"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    const MANY: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(filter: &str, format: LogFormat, colour: Colour) -> String {
        let screen = Screen::default();
        let lines = screen.clone();
        let floods = Floods::new(MANY, Clock::manual());
        let subscriber =
            subscriber(filter, format, colour, &floods, move || lines.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(user = 7, "admitted");
            tracing::debug!("detail");
        });
        let bytes = screen.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_filter_decides_and_a_pipe_gets_no_colours() {
        let plain = shown("info", LogFormat::Human, Colour::Plain);
        assert!(plain.contains("admitted") && !plain.contains("detail"));
        assert!(!plain.contains('\u{1b}'));
        assert!(shown("debug", LogFormat::Human, Colour::Ansi).contains('\u{1b}'));
    }

    #[test]
    fn foreign_text_is_shown_and_makes_no_second_line() {
        for (format, colour) in [
            (LogFormat::Human, Colour::Plain),
            (LogFormat::Human, Colour::Ansi),
            (LogFormat::Json, Colour::Plain),
        ] {
            let screen = Screen::default();
            let lines = screen.clone();
            let floods = Floods::new(MANY, Clock::manual());
            let subscriber =
                subscriber("info", format, colour, &floods, move || lines.clone()).unwrap();
            tracing::subscriber::with_default(subscriber, || {
                let name = "\u{1b}[2J\r\n\u{202e}gpj.exe";
                tracing::info!(name, "taken: {name}");
            });
            let bytes = screen.0.lock().clone();
            let line = String::from_utf8(bytes).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(
                !line.contains("\u{1b}[2J") && !line.contains(['\r', '\u{202e}']),
                "{line:?}"
            );
        }
    }

    #[test]
    fn json_lines_are_json() {
        let line = shown("info", LogFormat::Json, Colour::Plain);
        let line: serde_json::Value = serde_json::from_str(line.trim_end()).unwrap();
        assert_eq!(
            (&line["message"], &line["user"]),
            (&"admitted".into(), &7.into())
        );
    }

    #[test]
    fn a_bad_filter_is_an_error_that_names_it() {
        let error = init("wastegate=loud", LogFormat::Human, MANY).unwrap_err();
        assert!(matches!(&error, Error::LogFilter { filter, .. } if filter == "wastegate=loud"));
    }
}
