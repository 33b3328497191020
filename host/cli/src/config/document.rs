//! The commented example file and the reference, printed from the table of keys.

use std::fmt::Write as _;

use super::cross::orders;
use super::environment::variable;
use super::key::{Effect, Key};
use super::keys::Table;

const EXAMPLE_HEAD: &str = "\
# Every setting of wastegate, at its default. Take away the `#` in front of a key to change it.
# Printed by `wastegate config default`; `docs/configuration.md` is the same with more words.
";

/// Columns of a comment line.
const WIDTH: usize = 98;

/// A file that sets nothing and shows everything.
#[must_use]
pub fn example() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    let table = Table::new();
    for section in table.sections() {
        let _ = writeln!(text);
        comment(&mut text, section.doc());
        let _ = writeln!(text, "{}", section.head());
        for key in section.keys() {
            setting(&mut text, "#", key);
        }
        if let Some(key) = section.example() {
            comment(&mut text, &format!("{} For example:", key.doc()));
            let _ = writeln!(text, "#{} = 1.5", key.name());
        }
    }
    let routes = table.route(0);
    let _ = writeln!(text);
    comment(&mut text, routes.doc());
    comment(&mut text, "Each begins with its head, and has these keys:");
    let _ = writeln!(text, "# {}", routes.head());
    for key in routes.keys() {
        // As a comment of text: there is no route unless one is written.
        setting(&mut text, "#   ", key);
    }
    text
}

/// Writes what a key does, and the key at its default behind `begin`.
fn setting(into: &mut String, begin: &str, key: &Key) {
    let reread = match key.effect() {
        Effect::Live => " Read again at SIGHUP.",
        Effect::Restart => "",
    };
    let text = format!("{} Takes {}.{reread}", key.doc(), key.accepts());
    comment(into, &text);
    let default = key.default().map(|value| value.to_string());
    let default = default.as_deref().unwrap_or("\"\"");
    let _ = writeln!(into, "{begin}{} = {default}", key.name());
}

/// Writes text as comment lines of a bounded width.
fn comment(into: &mut String, text: &str) {
    let mut width = 0;
    for word in text.split_whitespace() {
        if width == 0 || width + 1 + word.len() > WIDTH {
            let start = if width == 0 { "" } else { "\n" };
            let _ = write!(into, "{start}# {word}");
            width = 2 + word.len();
        } else {
            let _ = write!(into, " {word}");
            width += 1 + word.len();
        }
    }
    into.push('\n');
}

const REFERENCE_HEAD: &str = "\
# Configuration

<!-- Printed from the table in `host/cli/src/config/keys/`; a test compares. To write it anew:
     WASTEGATE_BLESS=1 cargo test -p wastegate-cli config::tests -->

Every setting has a default, so `wastegate serve` runs without a file. Settings come from four places; a
later place overrides an earlier one:

1. the defaults below,
2. a TOML file, named by `--config FILE` or else by the variable `WASTEGATE_CONFIG`; without a name no
   file is read,
3. environment variables: `WASTEGATE_` and the key with `__` for each dot, so
   `WASTEGATE_ADMISSION__QUEUE__WAIT_MS=500` is `admission.queue.wait_ms = 500`. Case is ignored, `-`
   is the same as `_`, and a list has commas between its words. In names beneath `policy.params` a
   single `_` means `-`. Routes (`[[gateway.route]]`) are a list of tables, which only a file can have,
4. flags: `--set admission.queue.wait_ms=500`, as often as needed; the last one for a key counts.
   Shorthands such as `--listen` set one key each and override `--set`.

The unit is part of a key's name: `_ms` for milliseconds, `_bytes` for bytes. Numbers may have `_`
between digits. A flag cannot set a secret, since others can read it in the list of processes.

A value that is not valid stops the start, with exit code 78 and a line for each problem: the key, the
place, what was found and what to give instead. Unknown keys, unknown sections and unknown variables
that begin with `WASTEGATE_` are problems too. The variables that Kubernetes sets for a Service whose
name begins with `wastegate` are ignored.

SIGHUP makes a running server read its settings again. New connections and requests then use the new
values of keys that are `live` in the column `change`. A key that is `restart` keeps the value that the
server was started with; the log names it at each SIGHUP while its new value differs. If anything is
wrong with the new values, alone or together with the kept ones, nothing changes.

- `wastegate config check` says whether a configuration is valid; `--json` for machines.
- `wastegate config show` prints every value and where it came from, as TOML that can be loaded again;
  of secrets it only says whether they are set.
- `wastegate config default` prints `wastegate.example.toml`.
";

/// The reference of every key, as Markdown.
#[must_use]
pub fn reference() -> String {
    let table = Table::new();
    let mut text = REFERENCE_HEAD.to_owned();
    let _ = writeln!(
        text,
        "\n## Between keys\n\n| key | must be | because |\n| --- | --- | --- |"
    );
    for order in orders() {
        let (words, because) = (order.relation.words(), order.because);
        let _ = writeln!(
            text,
            "| `{}` | {words} `{}` | {because} |",
            order.lower, order.upper
        );
    }
    let _ = writeln!(text, "{BETWEEN_TAIL}");
    let routes = table.route(0);
    for section in table.sections().chain([&routes]) {
        let _ = writeln!(text, "\n## `{}`\n\n{}\n", section.head(), section.doc());
        let _ = writeln!(
            text,
            "| key | default | takes | change | what it does |\n| --- | --- | --- | --- | --- |"
        );
        for key in section.keys() {
            row(&mut text, key, key.name());
        }
        if let Some(key) = section.example() {
            row(&mut text, &key, "<name>");
        }
    }
    let _ = writeln!(
        text,
        "\n## Variables\n\n| variable | key |\n| --- | --- |\n| `WASTEGATE_CONFIG` | the file |"
    );
    for key in table.keys() {
        let _ = writeln!(text, "| `{}` | `{}` |", variable(key.path()), key.path());
    }
    text
}

const BETWEEN_TAIL: &str = "
Also: `server.listen` and `admin.listen` must differ, and no backend may be one of them;
`identity.mode = \"dev\"` needs a loopback `server.listen`; no tier below `force` may admit
`responsive`; `force` takes `needed`; and an `idle_ttl` has `min_ms` at most `max_ms` and `scale` below
`saturation`. A route has at least one `upstream`, no two routes have the same host and path, a route's
`frame_bytes_max` is at most its `message_bytes_max`, and what its `identity` needs is checked as for
`identity.mode`.";

fn row(into: &mut String, key: &Key, name: &str) {
    let default = key
        .default()
        .map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
    let _ = writeln!(
        into,
        "| `{name}` | {default} | {} | {} | {} |",
        key.accepts(),
        key.effect().word(),
        key.doc()
    );
}
