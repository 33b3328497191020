//! `wastegate users` and `wastegate user`: who holds how much on a running server.

use std::process::ExitCode;

use reqwest::Method;

use super::Terminal;
use super::failure::Failure;
use super::policy::operate::client::{Body, segment};
use super::policy::operate::{Remote, shown};
use super::policy::table::Table;
use wastegate_control::admin::users::views::{ManagerAnswer, UserAnswer, UserPage, UserRow};
use wastegate_control::levers::{LeverTerms, UserLevers};
use wastegate_control::page::utc;

/// Signals of managers that are shown, with their headings.
const SHOWN: [(&str, &str); 3] = [
    ("AGE", "age-ms"),
    ("IDLE", "idle-ms"),
    ("SILENT", "silence-ms"),
];

/// Arguments of `wastegate users`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate users --order held --limit 20")]
pub struct Args {
    /// What they are sorted by.
    #[arg(long, value_enum, default_value_t = Order::Pressure)]
    order: Order,
    /// Only users whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// How many are shown, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Go on where a page ended: what it printed last.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `wastegate user`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wastegate user ann")]
pub struct UserArgs {
    /// Its name.
    #[arg(value_name = "USER")]
    name: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Order {
    Pressure,
    Held,
    Evicted,
    Name,
}

impl Order {
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Pressure => "pressure",
            Self::Held => "held",
            Self::Evicted => "evicted",
            Self::Name => "name",
        }
    }
}

impl Args {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let mut query = vec![
            ("order", self.order.name().to_owned()),
            ("filter", self.filter),
            ("limit", self.limit.to_string()),
        ];
        query.extend(self.cursor.map(|cursor| ("cursor", cursor)));
        self.remote.run(terminal, async |client, json| {
            let answer = client.ask(Method::GET, "/v1/users", &query, Body::None);
            Ok(shown(answer.await?, json, page))
        })
    }
}

impl UserArgs {
    pub(in crate::cli) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let path = path(&self.name);
        self.remote.run(terminal, async |client, json| {
            Ok(shown(client.get(&path).await?, json, one))
        })
    }
}

/// The path of a user: whatever its name holds is one segment.
pub(super) fn path(user: &str) -> String {
    format!("/v1/users/{}", segment(user))
}

fn page(page: &UserPage) -> String {
    let mut table = Table::new([
        "USER", "HELD", "LIMIT", "LENT", "PRESSURE", "EVICTED", "LEVERS",
    ]);
    for UserRow {
        user,
        held,
        limit,
        lent,
        pressure,
        evicted,
        levers,
    } in &page.users
    {
        table.row([
            user.clone(),
            held.to_string(),
            limit.to_string(),
            lent.to_string(),
            pressure.clone(),
            evicted.to_string(),
            in_words(levers).join(", "),
        ]);
    }
    let mut text = table.text("no users");
    if let Some(cursor) = &page.next_cursor {
        let (total, shown) = (page.total, page.users.len());
        text.push_str(&format!(
            "{shown} of {total} users; more with --cursor {cursor}\n"
        ));
    }
    text
}

fn one(answer: &UserAnswer) -> String {
    let UserRow {
        user,
        held,
        limit,
        lent,
        pressure,
        evicted,
        levers,
    } = &answer.row;
    let lent = match lent {
        0 => String::new(),
        lent => format!(" and {lent} temporary slots"),
    };
    let mut text = format!("{user}: holds {held}, limit {limit}{lent}, pressure {pressure}\n");
    if *evicted > 0 {
        text.push_str(&format!(
            "  {evicted} of its managers were evicted in the last hour\n"
        ));
    }
    for lever in in_words(levers) {
        text.push_str(&format!("  {lever}\n"));
    }
    let head = ["KEY", "STANDING", "HEALTH", "PROTECTION"].into_iter();
    let head = head.chain(SHOWN.map(|(heading, _)| heading));
    let mut table = Table::new(head);
    for manager in &answer.managers {
        let ManagerAnswer {
            key,
            standing,
            health,
            protection,
            signals,
        } = manager;
        let cells = [key, standing, health, &protection.level].map(Clone::clone);
        let signals = SHOWN.map(|(_, name)| signals.get(name).copied().flatten());
        let signals =
            signals.map(|ms| ms.map_or_else(String::new, |ms| format!("{:.1} s", ms / 1e3)));
        table.row(cells.into_iter().chain(signals));
    }
    text + &table.text("no managers")
}

/// Each lever in words.
pub(super) fn in_words(levers: &UserLevers) -> Vec<String> {
    let limit = levers.limit.as_ref();
    let limit = limit.map(|limit| terms(&format!("limit {}", limit.managers), &limit.terms));
    let block = levers.block.as_ref().map(|block| terms("blocked", block));
    let pins = levers.pins.iter();
    let pins = pins.map(|(key, pin)| terms(&format!("{key} pinned"), pin));
    limit.into_iter().chain(block).chain(pins).collect()
}

/// Something that an operator set: until when, why, and who did it.
pub(super) fn terms(what: &str, terms: &LeverTerms) -> String {
    format!("{what} {} ({}; {})", span(terms), terms.reason, terms.by)
}

/// Until when something that an operator set holds.
pub(super) fn span(terms: &LeverTerms) -> String {
    terms.until_unix_ms.map_or_else(
        || "until it is taken back".to_owned(),
        |until| format!("until {}", utc(until)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        for (name, expected) in [
            ("ann", "/v1/users/ann"),
            ("a/b?c#d%41", "/v1/users/a%2Fb%3Fc%23d%2541"),
            ("ann@@/own", "/v1/users/ann%40%40%2Fown"),
            ("ä", "/v1/users/%C3%A4"),
        ] {
            assert_eq!(path(name), expected);
        }
    }

    #[test]
    fn a_page_shows_what_is_set_and_how_to_go_on() {
        let page_of: UserPage = serde_json::from_value(serde_json::json!({
            "users": [{
                "user": "<b>\u{1b}[31m", "held": 3, "limit": 20, "lent": 0, "pressure": "normal",
                "levers": { "limit": null, "block": {
                    "by": "olga", "reason": "spam", "set_unix_ms": 0, "until_unix_ms": null,
                } },
            }],
            "total": 2,
            "next_cursor": "abc",
        }))
        .unwrap();
        let text = page(&page_of);
        assert!(
            text.contains("blocked until it is taken back (spam; o"),
            "{text}"
        );
        assert!(
            text.ends_with("1 of 2 users; more with --cursor abc\n"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'));
    }
}
