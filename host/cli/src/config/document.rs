//! The commented example file and the reference, printed from the table of keys.

use std::fmt::Write as _;

use super::cross::ORDERS;
use super::environment::variable;
use super::key::Key;
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
    comment(into, &format!("{} Takes {}.", key.doc(), key.accepts()));
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

Everything has a default, so that `wastegate serve` runs without a file. What is set is layered,
the later over the earlier:

1. the defaults below,
2. a TOML file, named by `--config FILE` or else by the variable `WASTEGATE_CONFIG`; none is read
   unless it is named,
3. environment variables: `WASTEGATE_` and the key with `__` for each dot, so
   `WASTEGATE_ADMISSION__QUEUE__WAIT_MS=500` is `admission.queue.wait_ms = 500`. Case is ignored,
   `-` is the same as `_`, a list has commas between its words. In names beneath `policy.params`
   a single `_` means `-`; routes (`[[gateway.route]]`) are a list of tables, and only a file has them,
4. flags: `--set admission.queue.wait_ms=500`, as often as needed, the last one holds; shorthands
   such as `--listen` set one key each and hold over `--set`.

The unit is part of a key's name: `_ms` for milliseconds, `_bytes` for bytes. Numbers may have `_`
between digits. A secret cannot be set by a flag, since others can read it in the list of processes.

A value that is not understood stops the start, with exit code 78 and a line for everything that
is wrong: the key, the place, what was found and what to give instead. Unknown keys, unknown
sections and unknown variables that begin with `WASTEGATE_` count as wrong. The variables that
Kubernetes sets for a Service whose name begins with `wastegate` are left alone.

- `wastegate config check` says whether a configuration would be taken; `--json` for machines.
- `wastegate config show` prints every value with where it came from, as TOML that can be loaded
  again; secrets are only said to be set.
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
    for order in &ORDERS {
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
            "| key | default | takes | what it does |\n| --- | --- | --- | --- |"
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
Also: `server.listen` and `admin.listen` cannot clash; `identity.mode = \"dev\"` needs a loopback
`server.listen`; no tier below `force` may admit `responsive`; `force` takes `needed`; and an
`idle_ttl` has `min_ms` at most `max_ms` and `scale` below `saturation`. A route has at least one
`upstream`, no two have the same host and path, its `frame_bytes_max` is at most its
`message_bytes_max`, and what its `identity` needs is checked as for `identity.mode`.";

fn row(into: &mut String, key: &Key, name: &str) {
    let default = key
        .default()
        .map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
    let _ = writeln!(
        into,
        "| `{name}` | {default} | {} | {} |",
        key.accepts(),
        key.doc()
    );
}
