//! The terminal: taken for as long as the screen lasts, and given back however that ends.

use std::io;
use std::time::Duration;

use crossterm::event::EventStream;
use futures_util::StreamExt as _;
use ratatui::DefaultTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::super::failure::Failure;
use super::super::policy::operate::client::Client;
use super::look::Looker;
use super::state::{State, Then};
use super::{draw, events};

/// News that wait to be shown; who brings more waits.
const NEWS_MAX: usize = 8;
/// After how long the screen is drawn anew without news: since when a server is away is on it.
const DRAWN_EVERY: Duration = Duration::from_secs(1);

/// The terminal in another mode, with another screen. Dropped, it is as it was before; a panic drops it too, and its
/// message comes behind that.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self).inspect_err(|_| {
            // One of the steps may be done.
            let _ = ratatui::try_restore();
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing else can be done with a terminal that is gone. The cursor is given back by the field.
        let _ = ratatui::try_restore();
    }
}

/// Shows the screen until a key or a signal ends it.
///
/// # Errors
/// When the terminal cannot be read or drawn on.
pub(super) async fn watch(
    client: &Client,
    looker: Looker<'_>,
    state: State,
) -> Result<(), Failure> {
    let (wanted, wanted_now) = watch::channel(state.wanted());
    let (news, heard) = mpsc::channel(NEWS_MAX);
    let mut screen = Screen::take()?;
    let shown = show(&mut screen.0, state, &wanted, heard);
    tokio::select! {
        ended = shown => ended?,
        // These end with the receivers above, which live longer.
        () = looker.again(wanted_now, news.clone()) => {}
        () = events::hear(client, news) => {}
    }
    Ok(())
}

async fn show(
    terminal: &mut DefaultTerminal,
    mut state: State,
    wanted: &watch::Sender<super::state::Wanted>,
    mut heard: mpsc::Receiver<super::state::News>,
) -> io::Result<()> {
    let mut keys = EventStream::new();
    let mut ends = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    let [terminate, interrupt, hangup] = &mut ends;
    let mut drawn = tokio::time::interval(DRAWN_EVERY);
    drawn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| draw::screen(frame.area(), frame.buffer_mut(), &mut state))?;
        let now = state.wanted();
        wanted.send_if_modified(|before| {
            let is_other = *before != now;
            *before = now;
            is_other
        });
        tokio::select! {
            event = keys.next() => match event {
                Some(event) => if state.event(&event?) == Then::Quit {
                    return Ok(());
                },
                None => return Ok(()),
            },
            news = heard.recv() => match news {
                Some(news) => state.hear(news),
                None => return Ok(()),
            },
            _ = drawn.tick() => {}
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
        }
    }
}
