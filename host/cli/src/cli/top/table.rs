//! The table of the screen: the users, or the slots of one.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, StatefulWidget, Table, Widget as _};

use super::super::users::{Order, in_words};
use super::draw::{Paint, clipped};
use super::state::State;
use wastegate_control::admin::users::views::{ManagerAnswer, UserAnswer, UserRow};
use wastegate_core::types::units::{milliseconds, thousands};

/// The users, or the slots of one.
pub(super) fn table(state: &mut State, paint: Paint, area: Rect, buffer: &mut Buffer) {
    let [at_title, at_rows] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    // One is the headings'.
    state.rows = usize::from(at_rows.height.saturating_sub(1));
    let width = usize::from(area.width);
    let title = match &state.open {
        Some(user) => slots_title(state, user),
        None => users_title(state),
    };
    Line::styled(
        clipped(&title, width),
        Style::new().add_modifier(Modifier::BOLD),
    )
    .render(at_title, buffer);
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    let frame = |rows: Vec<Row<'static>>, columns: &[Column]| {
        let names = columns.iter().map(|column| aligned(column.name, column));
        Table::new(
            rows,
            columns
                .iter()
                .map(|column| Constraint::Length(column.width)),
        )
        .header(Row::new(names.collect::<Vec<_>>()).style(paint.soft()))
        .column_spacing(2)
        .row_highlight_style(chosen)
        .highlight_symbol("> ")
    };
    match &state.open {
        None => {
            let columns = fitting(&USERS, area.width);
            let rows = state
                .look
                .as_ref()
                .map_or(&[][..], |look| &look.users.users);
            let rows = rows
                .iter()
                .map(|row| user_row(row, &columns, paint))
                .collect();
            StatefulWidget::render(frame(rows, &columns), at_rows, buffer, &mut state.users);
        }
        Some(user) => {
            let columns = fitting(&SLOTS, area.width);
            let answer = answer(state, user);
            let managers = answer.map_or(&[][..], |answer| &answer.managers);
            let rows = managers
                .iter()
                .map(|manager| slot_row(manager, &columns, paint))
                .collect();
            StatefulWidget::render(frame(rows, &columns), at_rows, buffer, &mut state.slots);
        }
    }
}

fn users_title(state: &State) -> String {
    let shown = state.look.as_ref().map_or(0, |look| look.users.total);
    let by = match state.order {
        Order::Evicted => "evictions",
        order => order.name(),
    };
    let typing = if state.is_typing { "_" } else { "" };
    let filter = match (state.filter.as_str(), typing) {
        ("", "") => String::new(),
        (filter, typing) => format!("  filter: {filter}{typing}"),
    };
    format!("USERS by {by}: {}{filter}", thousands(shown as u64))
}

/// The slots of the user, if they are known.
fn answer<'a>(state: &'a State, user: &str) -> Option<&'a UserAnswer> {
    let answer = state.look.as_ref()?.user.as_ref()?.as_ref().ok();
    answer.filter(|answer| answer.row.user == user)
}

fn slots_title(state: &State, user: &str) -> String {
    let refused = state
        .look
        .as_ref()
        .and_then(|look| look.user.as_ref()?.as_ref().err());
    match (answer(state, user), refused) {
        (Some(UserAnswer { row, .. }), _) => {
            let mut title = format!("{user}: holds {} of {}", row.held, row.limit);
            if row.lent > 0 {
                title.push_str(&format!(" and {} temporary slots", row.lent));
            }
            title.push_str(&format!(", pressure {}", row.pressure));
            for lever in in_words(&row.levers) {
                title.push_str(&format!(", {lever}"));
            }
            title
        }
        (None, Some(why)) => format!("{user}: {why}"),
        (None, None) => format!("{user}: asking"),
    }
}

/// A column of a table: those that matter least go first where there is no room.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    width: u16,
    /// Whether it takes what is left.
    grows: bool,
    is_number: bool,
    /// The least goes first.
    weight: u8,
}

const fn column(name: &'static str, width: u16, weight: u8) -> Column {
    Column {
        name,
        width,
        grows: false,
        is_number: false,
        weight,
    }
}

const fn number(name: &'static str, width: u16, weight: u8) -> Column {
    Column {
        is_number: true,
        ..column(name, width, weight)
    }
}

const USERS: [Column; 7] = [
    Column {
        grows: true,
        ..column("USER", 10, 9)
    },
    number("HELD", 6, 8),
    number("LIMIT", 6, 7),
    number("LENT", 4, 3),
    number("EVICTED", 7, 5),
    column("PRESSURE", 9, 6),
    Column {
        grows: true,
        ..column("LEVERS", 12, 2)
    },
];

const SLOTS: [Column; 7] = [
    Column {
        grows: true,
        ..column("KEY", 10, 9)
    },
    column("STANDING", 12, 5),
    column("HEALTH", 9, 8),
    column("PROTECTION", 10, 4),
    number("AGE", 8, 3),
    number("IDLE", 8, 7),
    number("SILENT", 8, 6),
];

/// The columns that fit, with what is left given to those that grow.
fn fitting(columns: &[Column], width: u16) -> Vec<Column> {
    const GAP: u16 = 2;
    // The sign of the chosen row takes two.
    let room = width.saturating_sub(2);
    let taken = |columns: &[Column]| -> u16 {
        columns.iter().map(|column| column.width + GAP).sum::<u16>() - GAP
    };
    let mut kept = columns.to_vec();
    while kept.len() > 1 && taken(&kept) > room {
        let least = kept.iter().map(|column| column.weight).min();
        kept.retain(|column| Some(column.weight) != least);
    }
    let left = room.saturating_sub(taken(&kept));
    let growing = kept.iter().filter(|column| column.grows).count();
    let share = left
        .checked_div(u16::try_from(growing).unwrap_or(1))
        .unwrap_or(0);
    // A name has no more than this to show; what is behind it stays near.
    for column in kept.iter_mut().filter(|column| column.grows) {
        column.width += share.min(48);
    }
    kept
}

fn aligned(text: &str, column: &Column) -> Cell<'static> {
    let line = Line::from(clipped(text, usize::from(column.width)));
    Cell::from(if column.is_number {
        line.right_aligned()
    } else {
        line
    })
}

fn user_row(row: &UserRow, columns: &[Column], paint: Paint) -> Row<'static> {
    let cells = columns.iter().map(|column| {
        let cell = |text: &str| aligned(text, column);
        match column.name {
            "USER" => cell(&row.user),
            "HELD" => cell(&thousands(row.held.into())),
            "LIMIT" => cell(&thousands(row.limit.into())),
            "LENT" => cell(&row.lent.to_string()),
            "EVICTED" => cell(&thousands(row.evicted.into())),
            "PRESSURE" => cell(&row.pressure).style(paint.word(&row.pressure)),
            _ => cell(&in_words(&row.levers).join(", ")),
        }
    });
    Row::new(cells.collect::<Vec<_>>())
}

fn slot_row(manager: &ManagerAnswer, columns: &[Column], paint: Paint) -> Row<'static> {
    let signal = |name: &str| {
        let ms = manager.signals.get(name).copied().flatten();
        ms.map_or_else(String::new, milliseconds)
    };
    let cells = columns.iter().map(|column| {
        let cell = |text: &str| aligned(text, column);
        match column.name {
            "KEY" => cell(&manager.key),
            "STANDING" => cell(&manager.standing),
            "HEALTH" => cell(&manager.health).style(paint.word(&manager.health)),
            "PROTECTION" => cell(&manager.protection.level),
            "AGE" => cell(&signal("age-ms")),
            "IDLE" => cell(&signal("idle-ms")),
            _ => cell(&signal("silence-ms")),
        }
    });
    Row::new(cells.collect::<Vec<_>>())
}
