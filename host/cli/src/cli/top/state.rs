//! What is known of the server, and what keys chose.

use std::collections::VecDeque;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::widgets::TableState;

use super::super::users::Order;
use super::look::Past;
use wastegate_control::admin::StatusView;
use wastegate_control::admin::users::views::{UserAnswer, UserPage};
use wastegate_core::types::visible;

/// Events that are kept.
const EVENTS_MAX: usize = 16;
/// Characters of a filter.
const FILTER_MAX: usize = 64;
/// Users that are asked for at once are a multiple of this, so that a key more seldom asks anew.
const USERS_STEP: usize = 50;
/// Users that a list has at the most: what the server gives on a page.
const USERS_MAX: usize = 1_000;

/// What the server is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) order: Order,
    pub(super) filter: String,
    /// How many users.
    pub(super) limit: usize,
    /// Whose slots.
    pub(super) user: Option<String>,
}

/// What was heard of the server.
#[derive(Debug)]
pub(super) enum News {
    /// It answered.
    Looked(Box<Look>),
    /// It did not answer, since when (ms since the Unix epoch) and why.
    Lost { since_unix_ms: u64, why: String },
    /// It refused, in its words.
    Refused(String),
    /// Something happened.
    Happened(Vec<String>),
    /// Events cannot be had, and why.
    Deaf(String),
}

/// What one look found.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) wanted: Wanted,
    /// When, ms since the Unix epoch.
    pub(super) unix_ms: u64,
    pub(super) status: StatusView,
    pub(super) users: UserPage,
    /// None where it was not asked for this time.
    pub(super) past: Option<Past>,
    /// The user whose slots are wanted, or why they cannot be had.
    pub(super) user: Option<Result<UserAnswer, String>>,
}

/// Whether the server answers.
#[derive(Debug)]
pub(super) enum Link {
    Live,
    Lost { since_unix_ms: u64, why: String },
    Refused(String),
}

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Quit,
}

/// Everything that a screen shows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) address: String,
    /// Without colours.
    pub(super) is_plain: bool,
    pub(super) order: Order,
    pub(super) filter: String,
    /// Whether keys are letters of the filter.
    pub(super) is_typing: bool,
    /// The user whose slots are shown.
    pub(super) open: Option<String>,
    pub(super) users: TableState,
    pub(super) slots: TableState,
    /// Rows of the table on the screen, as the last drawing found.
    pub(super) rows: usize,
    pub(super) link: Link,
    pub(super) look: Option<Box<Look>>,
    pub(super) past: Option<Past>,
    /// The newest last.
    pub(super) events: VecDeque<String>,
    pub(super) deaf: Option<String>,
}

impl State {
    pub(super) fn new(address: &str, order: Order, filter: &str, is_plain: bool) -> Self {
        Self {
            address: visible::line(address.strip_prefix("http://").unwrap_or(address)).into_owned(),
            is_plain,
            order,
            filter: filter.chars().take(FILTER_MAX).collect(),
            is_typing: false,
            open: None,
            users: TableState::default().with_selected(0),
            slots: TableState::default().with_selected(0),
            rows: 0,
            link: Link::Live,
            look: None,
            past: None,
            events: VecDeque::new(),
            deaf: None,
        }
    }

    /// What to ask for now: no more users than can be seen with one page of keys.
    pub(super) fn wanted(&self) -> Wanted {
        let reached = self.users.selected().unwrap_or(0) + 2 * self.rows + 1;
        Wanted {
            order: self.order,
            filter: self.filter.clone(),
            limit: reached.next_multiple_of(USERS_STEP).min(USERS_MAX),
            user: self.open.clone(),
        }
    }

    /// Takes in what was heard.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Looked(look) => self.looked(look),
            News::Lost { since_unix_ms, why } => self.link = Link::Lost { since_unix_ms, why },
            News::Refused(why) => self.link = Link::Refused(why),
            News::Happened(events) => {
                self.deaf = None;
                self.events.extend(events);
                while self.events.len() > EVENTS_MAX {
                    self.events.pop_front();
                }
            }
            News::Deaf(why) => self.deaf = Some(why),
        }
    }

    fn looked(&mut self, mut look: Box<Look>) {
        self.link = Link::Live;
        if let Some(past) = look.past.take() {
            self.past = Some(past);
        }
        // The selection stays with its user, wherever that one is now.
        let place = self.users.selected().unwrap_or(0);
        let was = self
            .look
            .as_ref()
            .and_then(|look| look.users.users.get(place));
        let is_same_list = self.look.as_ref().is_some_and(|before| {
            before.wanted.order == look.wanted.order && before.wanted.filter == look.wanted.filter
        });
        let same = was.filter(|_| is_same_list && place > 0).and_then(|was| {
            let mut users = look.users.users.iter();
            users.position(|row| row.user == was.user)
        });
        let last = look.users.users.len().saturating_sub(1);
        self.users.select(Some(same.unwrap_or(place).min(last)));
        self.look = Some(look);
    }

    /// Takes in a key; all other events of a terminal only lead to another drawing.
    pub(super) fn event(&mut self, event: &Event) -> Then {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Event::Paste(text) if self.is_typing => {
                text.chars().for_each(|letter| self.letter(letter));
                Then::Stay
            }
            _ => Then::Stay,
        }
    }

    fn key(&mut self, key: KeyEvent) -> Then {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'd') => Then::Quit,
                _ => Then::Stay,
            };
        }
        if self.is_typing {
            self.typed(key.code);
            return Then::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Then::Quit,
            KeyCode::Char('p') => self.sort(Order::Pressure),
            KeyCode::Char('h') => self.sort(Order::Held),
            KeyCode::Char('e') => self.sort(Order::Evicted),
            KeyCode::Char('n') => self.sort(Order::Name),
            KeyCode::Char('/') => {
                self.open = None;
                self.is_typing = true;
            }
            KeyCode::Enter => self.enter(),
            KeyCode::Esc => self.back(),
            KeyCode::Up | KeyCode::Char('k') => self.go(|at, _| at.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.go(|at, _| at.saturating_add(1)),
            KeyCode::PageUp => self.go(|at, rows| at.saturating_sub(rows)),
            KeyCode::PageDown => self.go(usize::saturating_add),
            KeyCode::Home => self.go(|_, _| 0),
            KeyCode::End => self.go(|_, _| usize::MAX),
            _ => {}
        }
        Then::Stay
    }

    fn typed(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char(letter) => self.letter(letter),
            KeyCode::Backspace => {
                self.filter.pop();
                self.begin_again();
            }
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
                self.begin_again();
            }
            _ => {}
        }
    }

    fn letter(&mut self, letter: char) {
        if !letter.is_control() && self.filter.chars().count() < FILTER_MAX {
            self.filter.push(letter);
            self.begin_again();
        }
    }

    fn begin_again(&mut self) {
        self.users = TableState::default().with_selected(0);
    }

    fn sort(&mut self, order: Order) {
        if self.order != order {
            self.order = order;
            self.begin_again();
        }
        self.open = None;
    }

    fn enter(&mut self) {
        let place = self.users.selected().unwrap_or(0);
        let row = self
            .look
            .as_ref()
            .and_then(|look| look.users.users.get(place));
        if let (Some(row), None) = (row, &self.open) {
            self.open = Some(row.user.clone());
            self.slots = TableState::default().with_selected(0);
        }
    }

    /// Out of the slots, or else out of the filter.
    fn back(&mut self) {
        if self.open.take().is_none() && !self.filter.is_empty() {
            self.filter.clear();
            self.begin_again();
        }
    }

    /// Moves in what is shown: from a place, with the rows of a page.
    fn go(&mut self, to: impl FnOnce(usize, usize) -> usize) {
        let rows = self.rows.max(1);
        let look = self.look.as_ref();
        let (table, length) = match &self.open {
            Some(user) => {
                let slots = look.and_then(|look| look.user.as_ref()?.as_ref().ok());
                let slots = slots.filter(|answer| answer.row.user == *user);
                (
                    &mut self.slots,
                    slots.map_or(0, |answer| answer.managers.len()),
                )
            }
            None => (
                &mut self.users,
                look.map_or(0, |look| look.users.users.len()),
            ),
        };
        let place = to(table.selected().unwrap_or(0), rows);
        table.select(Some(place.min(length.saturating_sub(1))));
    }
}
