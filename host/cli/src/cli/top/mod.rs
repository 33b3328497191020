//! `wastegate top`: a running server on one screen that stays current.
//!
//! `look` asks the server again and again, `events` listens to what happens, `state` keeps what is known and what
//! keys chose, `draw` makes a screen of it, and `screen` is the terminal. It costs the server little: a list is asked
//! for as far as it is shown, and what took the server long is asked for rarely.

mod draw;
mod events;
mod look;
mod screen;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::look::Looker;
use self::state::State;
use super::Terminal;
use super::exit::EX_USAGE;
use super::failure::Failure;
use super::policy::operate::{Asked, runtime};
use super::prose;
use super::users::Order;

/// How often the server is asked, at the most and at the least.
const EVERY_MIN: Duration = Duration::from_millis(500);
const EVERY_MAX: Duration = Duration::from_secs(60);
/// Columns and lines of one frame where there is no terminal.
const FRAME: (u16, u16) = (80, 24);

/// Arguments of `wastegate top`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Keys: p, h, e and n sort by pressure, held, evictions and name; / filters by a part of the name; arrows, \
                  PageUp, PageDown, Home and End move; Enter shows the slots of a user, and Esc goes back; q ends it.\n\n\
                  Examples:\n  wastegate top\n  wastegate top --every 5s --order evicted\n  wastegate top --once"
)]
pub struct Args {
    /// How often the server is asked, 500ms to 1m. What takes the server long is asked for more rarely.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = every)]
    every: Duration,
    /// What users are sorted by at first.
    #[arg(long, value_enum, default_value_t = Order::Pressure)]
    order: Order,
    /// Only users whose name contains this, at first.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Print one frame and end; for this no terminal is needed.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Args {
    /// Does it: 0 when it was ended, 64 where there is no terminal, 69 if the server did not answer at first.
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let has_terminal = prose::screen().is_some();
        if !self.once && !has_terminal {
            let sentence = "standard output is no terminal: `wastegate status --json` and `wastegate users --json` \
                            are for programs, and `wastegate top --once` prints one frame";
            return Err(Failure::new(sentence).code(EX_USAGE));
        }
        let Terminal {
            environment, out, ..
        } = terminal;
        let is_plain = self.once || environment.is_plain();
        let client = self.asked.client(environment)?;
        let mut state = State::new(client.address(), self.order, &self.filter, is_plain);
        let runtime = runtime()?;
        // Of a server that is not there a line says more than a screen.
        let mut looker = Looker::new(&client, self.every);
        let first = runtime.block_on(looker.look(&state.wanted()))?;
        state.hear(first);
        if !self.once {
            runtime.block_on(screen::watch(&client, looker, state))?;
            return Ok(ExitCode::SUCCESS);
        }
        let (width, height) = match ratatui::crossterm::terminal::size() {
            Ok((width, height)) if has_terminal => (width, height.saturating_sub(1)),
            _ => FRAME,
        };
        writeln!(out, "{}", frame(&mut state, width, height))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One frame as text, a line for each row, without spaces at their ends.
fn frame(state: &mut State, width: u16, height: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw::screen(buffer.area, &mut buffer, state);
    let rows = buffer.content().chunks(usize::from(width.max(1)));
    let texts = rows.map(|row| {
        let mut text = String::new();
        let mut covered = 0_usize;
        for cell in row {
            // A wide character covers the cell behind it.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            text.push_str(cell.symbol());
        }
        text.trim_end().to_owned()
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// A length of time that the server may be left alone for.
fn every(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let read = units.iter().find_map(|(unit, ms)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*ms).map(Duration::from_millis)
    });
    read.filter(|every| (EVERY_MIN..=EVERY_MAX).contains(every))
        .ok_or_else(|| "give 500ms to 1m, such as 2s".to_owned())
}
