//! The screen: what is known, as far as there is room for it.
//!
//! Pure: a state and an area in, cells out. What came from outside goes through [`visible`], so nothing in a cell
//! is acted on.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, SparklineBar, Widget as _};
use unicode_width::UnicodeWidthStr as _;

use super::super::prose::cut;
use super::look::{Past, mean};
use super::state::{Link, Look, State};
use super::table::table;
use wastegate_control::admin::StatusView;
use wastegate_control::page::time_of_day;
use wastegate_core::types::units::{bytes, milliseconds, thousands};
use wastegate_core::types::visible;

/// The smallest screen with anything on it.
const SMALLEST: (u16, u16) = (24, 7);
/// From which height on there are the plots, and more than one line for problems and events.
const TALL: u16 = 20;
/// Seconds of the plots, as far as there is room: a cell is one or more.
const PLOTTED_S: usize = 300;
/// Columns of a plot's name.
const PLOT_NAME: u16 = 12;

/// Draws all of it, and remembers how many rows fit.
pub(super) fn screen(area: Rect, buffer: &mut Buffer, state: &mut State) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        Paragraph::new("too small for top").render(area, buffer);
        return;
    }
    let is_tall = area.height >= TALL;
    let paint = Paint(state.is_plain);
    let width = usize::from(area.width);
    let head = head(state, paint, width, if is_tall { 3 } else { 1 });
    let figures = figures(state, paint, width, if is_tall { 5 } else { 2 });
    let plots = u16::from(is_tall && state.past.is_some()) * 2;
    let events = (area.height / 10).clamp(1, 6);
    let rows = [
        Constraint::Length(lines(&head)),
        Constraint::Length(lines(&figures)),
        Constraint::Length(plots),
        Constraint::Min(3),
        Constraint::Length(events),
        Constraint::Length(1),
    ];
    let [at_head, at_figures, at_plots, at_table, at_events, at_keys] =
        Layout::vertical(rows).areas(area);
    Paragraph::new(head).render(at_head, buffer);
    Paragraph::new(figures).render(at_figures, buffer);
    if let (Some(past), true) = (&state.past, plots > 0) {
        self::plots(past, paint, at_plots, buffer);
    }
    table(state, paint, at_table, buffer);
    self::events(state, paint, at_events, buffer);
    keys(state, paint, at_keys, buffer);
}

fn lines(of: &[Line<'_>]) -> u16 {
    u16::try_from(of.len()).unwrap_or(u16::MAX)
}

/// What is shown how; without colours by weight alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    fn coloured(self, colour: Color, otherwise: Modifier) -> Style {
        match self.0 {
            true => Style::new().add_modifier(otherwise),
            false => Style::new().fg(colour),
        }
    }

    fn good(self) -> Style {
        self.coloured(Color::Green, Modifier::BOLD)
            .add_modifier(Modifier::BOLD)
    }

    fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD)
            .add_modifier(Modifier::BOLD)
    }

    fn warn(self) -> Style {
        self.coloured(Color::Yellow, Modifier::BOLD)
    }

    pub(super) const fn soft(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Of a level of pressure, or what is known of a peer.
    pub(super) fn word(self, word: &str) -> Style {
        match word {
            "emergency" | "dead" | "stuck" => self.bad(),
            "critical" | "warning" | "half-open" | "stalled" | "suspect" => self.warn(),
            _ => Style::new(),
        }
    }
}

/// A text from outside in so many columns.
pub(super) fn clipped(text: &str, width: usize) -> String {
    let text = visible::line(text);
    match text.width() <= width {
        true => text.into_owned(),
        false => cut(&text, width),
    }
}

/// Who it is, and whether it is well.
fn head(state: &State, paint: Paint, width: usize, problems_max: usize) -> Vec<Line<'static>> {
    let status = state.look.as_ref().map(|look| &look.status);
    let version = status.map_or("", |status| &status.version);
    let node = status.map_or("", |status| &status.node);
    let named = [node, state.address.as_str()];
    let named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
    let name = format!("wastegate {version}  {}", named.join("  "));
    let up = status.filter(|status| status.uptime_ms > 0);
    let up = up.map_or_else(String::new, |status| {
        #[expect(clippy::cast_precision_loss, reason = "a length of time to look at")]
        let ms = status.uptime_ms as f64;
        format!("up {}", milliseconds(ms))
    });
    let room = width.saturating_sub(up.width() + 2);
    let name = clipped(&name, room);
    let gap = width.saturating_sub(name.width() + up.width());
    let mut lines = vec![Line::from(vec![
        Span::styled(name, Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(" ".repeat(gap)),
        Span::styled(up, paint.soft()),
    ])];
    lines.extend(verdict(state, paint, width, problems_max));
    lines
}

/// Whether it is well, or what is wrong: a line each.
fn verdict(state: &State, paint: Paint, width: usize, problems_max: usize) -> Vec<Line<'static>> {
    let one = |style: Style, text: &str| vec![Line::styled(clipped(text, width), style)];
    match &state.link {
        Link::Lost { since_unix_ms, why } => {
            let since = time_of_day(*since_unix_ms);
            return one(paint.bad(), &format!("DISCONNECTED since {since}: {why}"));
        }
        Link::Refused(why) => return one(paint.bad(), &format!("REFUSED: {why}")),
        Link::Live => {}
    }
    let Some(status) = state.look.as_ref().map(|look| &look.status) else {
        return one(paint.soft(), "asking");
    };
    if status.problems.is_empty() {
        return match status.draining {
            true => one(paint.warn(), "DRAINING: it takes no new connections"),
            false => one(paint.good(), "WELL"),
        };
    }
    let shown = status.problems.iter().take(problems_max).enumerate();
    let mut lines: Vec<Line<'static>> = shown
        .map(|(place, problem)| {
            let name = if place == 0 { "NOT WELL" } else { "        " };
            Line::styled(clipped(&format!("{name}  {problem}"), width), paint.bad())
        })
        .collect();
    let more = status.problems.len().saturating_sub(problems_max);
    if more > 0
        && let Some(last) = lines.last_mut()
    {
        let note = format!("  (and {more} more)");
        let text = clipped(&last.to_string(), width.saturating_sub(note.width()));
        *last = Line::styled(text + &note, paint.bad());
    }
    lines
}

/// The figures, as many as fit into so many lines: the most telling first.
fn figures(state: &State, paint: Paint, width: usize, lines_max: usize) -> Vec<Line<'static>> {
    const GAP: usize = 3;
    let Some(look) = &state.look else {
        return Vec::new();
    };
    let items = items(look, state.past.as_ref());
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut used = 0;
    for (name, value) in items {
        let (name, value) = (format!("{name} "), clipped(&value, width));
        let wide = name.width() + value.width();
        if used > 0 && used + GAP + wide > width {
            if lines.len() == lines_max {
                // A shorter one may fit yet.
                continue;
            }
            lines.push(Vec::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(Span::raw(" ".repeat(GAP)));
            used += GAP;
        }
        used += wide;
        let style = match name.as_str() {
            "pressure " if value != "none" => paint.warn(),
            _ => Style::new(),
        };
        line.extend([Span::styled(name, paint.soft()), Span::styled(value, style)]);
    }
    lines.into_iter().map(Line::from).collect()
}

/// Names and values of the figures.
fn items(look: &Look, past: Option<&Past>) -> Vec<(&'static str, String)> {
    let StatusView {
        connections,
        connections_limit,
        managers,
        managers_limit,
        users,
        queued,
        pressed,
        ..
    } = &look.status;
    let status = &look.status;
    let of = |used: u64, limit: u64| match limit {
        0 => thousands(used),
        limit => format!("{} of {}", thousands(used), thousands(limit)),
    };
    let rate = |series: &str| {
        let rate = past.and_then(|past| past.rate(series));
        rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.1}/s"))
    };
    let levels = ["emergency", "critical", "warning", "info"];
    let levels = levels
        .iter()
        .filter_map(|level| Some((level, pressed.get(*level)?)));
    let levels: Vec<String> = levels
        .map(|(level, count)| format!("{count} {level}"))
        .collect();
    let pressure = if levels.is_empty() {
        "none".to_owned()
    } else {
        levels.join(", ")
    };
    let mut items = vec![
        (
            "connections",
            of((*connections).into(), *connections_limit as u64),
        ),
        ("managers", of((*managers).into(), (*managers_limit).into())),
        ("users", thousands(*users as u64)),
        ("pressure", pressure),
        ("admitted", rate("admitted")),
        ("refused", rate("refused")),
        ("evicted", rate("evicted")),
        ("waiting", thousands(*queued as u64)),
    ];
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
    if let Some(used) = status.rss_bytes {
        let limit = status.memory_bytes_limit;
        let of = if limit > 0 {
            format!(" of {}", bytes(limit as f64))
        } else {
            String::new()
        };
        items.push(("memory", format!("{}{of}", bytes(used as f64))));
    }
    if let Some(open) = status.open_fds {
        items.push(("descriptors", of(open, status.open_fds_limit.unwrap_or(0))));
    }
    items.push(("ranked by", status.ranked_by.join(", ")));
    let away = status
        .backends
        .iter()
        .filter(|backend| backend.state != "up");
    if !status.backends.is_empty() {
        let (all, away) = (status.backends.len(), away.count());
        items.push(("backends", format!("{} of {all} up", all - away)));
    }
    items
}

/// Connections and admissions of the last minutes.
fn plots(past: &Past, paint: Paint, area: Rect, buffer: &mut Buffer) {
    let lines = Layout::vertical([Constraint::Length(1); 2]).areas::<2>(area);
    for (at, (name, series)) in lines
        .into_iter()
        .zip([("connections", "connections"), ("admitted/s", "admitted")])
    {
        let parts = [
            Constraint::Length(PLOT_NAME),
            Constraint::Min(1),
            Constraint::Length(14),
        ];
        let [at_name, at_bars, at_most] = Layout::horizontal(parts).areas(at);
        Line::styled(name, paint.soft()).render(at_name, buffer);
        let cells = squeezed(past.of(series), usize::from(at_bars.width));
        let most = cells.iter().copied().flatten().fold(0.0, f64::max);
        // Whole numbers: a thousandth of a step is finer than a cell.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts, never below zero"
        )]
        let whole = |value: f64| (value.max(0.0) * 1e3) as u64;
        let bars = cells.iter().map(|cell| SparklineBar::from(cell.map(whole)));
        Sparkline::default()
            .data(bars.collect::<Vec<_>>())
            .max(whole(most).max(1))
            .absent_value_symbol(" ")
            .style(paint.coloured(Color::Cyan, Modifier::empty()))
            .render(at_bars, buffer);
        let most = format!(
            " up to {}",
            wastegate_core::types::units::plain((most * 10.0).round() / 10.0)
        );
        Line::styled(most, paint.soft()).render(at_most, buffer);
    }
}

/// The last minutes in so many cells, each the mean of as many seconds; none where nothing is known.
pub(super) fn squeezed(values: &[Option<f64>], cells: usize) -> Vec<Option<f64>> {
    let cells = cells.max(1);
    let each = PLOTTED_S.div_ceil(cells).max(1);
    let shown = values.len().min(each * cells);
    let last = values.get(values.len() - shown..).unwrap_or_default();
    // Groups end at the newest value.
    last.rchunks(each).map(mean).rev().collect()
}

/// The newest events, the newest last.
fn events(state: &State, paint: Paint, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let older = state.events.len().saturating_sub(area.height.into());
    let lines: Vec<Line<'static>> = match (&state.deaf, state.events.is_empty()) {
        (Some(why), _) => vec![Line::styled(
            clipped(&format!("no events: {why}"), width),
            paint.warn(),
        )],
        (None, true) => vec![Line::styled(
            "no refusal and no eviction since you look",
            paint.soft(),
        )],
        (None, false) => {
            let newest = state.events.iter().skip(older);
            newest
                .map(|event| Line::from(clipped(event, width)))
                .collect()
        }
    };
    Paragraph::new(lines).render(area, buffer);
}

fn keys(state: &State, paint: Paint, area: Rect, buffer: &mut Buffer) {
    let keys = match (state.is_typing, &state.open) {
        (true, _) => "letters filter · Enter keeps it · Esc drops it",
        (false, Some(_)) => "Esc back · arrows, PgUp, PgDn move · q quit",
        (false, None) => {
            "q quit · Enter slots · / filter · p h e n sort by pressure, held, evictions, name"
        }
    };
    Line::styled(clipped(keys, area.width.into()), paint.soft()).render(area, buffer);
}
