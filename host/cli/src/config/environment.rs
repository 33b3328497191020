//! The layer of environment variables, and the only place that reads the environment.
//!
//! `WASTEGATE_` and the key's path, with `__` for the dots: `WASTEGATE_ADMISSION__QUEUE__WAIT_MS`
//! is `admission.queue.wait_ms`. Case is ignored, and `-` is the same as `_`. Names beneath
//! `policy.params` get hyphens for single underscores, since that is how parameters are spelled.
//! `WASTEGATE_CONFIG` names the file and is no key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use wastegate_core::types::spelling;

use super::error::ConfigProblem;
use super::keys::{Table, hyphenated};
use super::raw::{Entry, Raw, SettingOrigin};

const PREFIX: &str = "WASTEGATE_";
const FILE: &str = "WASTEGATE_CONFIG";
const USER: &str = "USER";
/// Set to anything but nothing: no colours (no-color.org).
const NO_COLOR: &str = "NO_COLOR";

/// The variables that concern us; a test makes one from a list.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    user: Option<String>,
    is_plain: bool,
}

impl Environment {
    /// The process's own.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Who runs this shell, by `USER`: a name to sign a change with, not a proof.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether whoever runs this shell wants no colours, by `NO_COLOR`.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The file that `WASTEGATE_CONFIG` names.
    pub(super) fn file(&self) -> Option<(PathBuf, SettingOrigin)> {
        let (name, value) = self.variables.iter().find(|(name, _)| is(name, FILE))?;
        Some((
            value.into(),
            SettingOrigin::Environment { name: name.clone() },
        ))
    }

    /// Every other variable as an entry.
    pub(super) fn entries(&self, table: &Table, problems: &mut Vec<ConfigProblem>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for (name, value) in &self.variables {
            if is(name, FILE) || self.is_service_link(name) {
                continue;
            }
            let Some(text) = value.to_str() else {
                problems.push(ConfigProblem::NotUtf8 { name: name.clone() });
                continue;
            };
            let path = path(name, table);
            let origin = SettingOrigin::Environment { name: name.clone() };
            if let Some(first) = entries.iter().find(|entry| entry.path == path) {
                let first = first.origin.clone();
                problems.push(ConfigProblem::Twice {
                    key: path,
                    first,
                    second: origin,
                });
            } else {
                let raw = Raw::Untyped(text.to_owned());
                entries.push(Entry { path, raw, origin });
            }
        }
        entries
    }

    /// Whether the variable was put there by Kubernetes for a Service whose name begins with
    /// ours (`WASTEGATE_SERVICE_HOST`, `WASTEGATE_ADMIN_PORT_9090_TCP_ADDR`), not by an operator.
    /// Such links come as a set that always has a `_SERVICE_HOST`.
    fn is_service_link(&self, name: &str) -> bool {
        let services = self
            .variables
            .keys()
            .filter_map(|name| name.strip_suffix("_SERVICE_HOST"));
        let mut tails = services.filter_map(|service| name.strip_prefix(service));
        tails.any(|tail| {
            tail.starts_with("_SERVICE_") || tail == "_PORT" || tail.starts_with("_PORT_")
        })
    }
}

/// Says which variables there are, not what is in them: some are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Keeps what concerns us.
impl<N: AsRef<OsStr>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut ours = Self::default();
        for (name, value) in variables {
            let Some(name) = name.as_ref().to_str() else {
                continue;
            };
            if name == USER {
                ours.user = value.into().into_string().ok();
            } else if name == NO_COLOR {
                ours.is_plain = !value.into().is_empty();
            } else if name
                .get(..PREFIX.len())
                .is_some_and(|start| is(start, PREFIX))
            {
                ours.variables.insert(name.to_owned(), value.into());
            }
        }
        ours
    }
}

fn is(name: &str, known: &str) -> bool {
    name.eq_ignore_ascii_case(known)
}

/// The path that a variable means.
fn path(name: &str, table: &Table) -> String {
    let name = name.get(PREFIX.len()..).unwrap_or_default();
    let path = name.to_lowercase().replace('-', "_").replace("__", ".");
    match path.rsplit_once('.') {
        Some((section, name)) if table.is_open(section) => {
            format!("{section}.{}", hyphenated(name))
        }
        _ => path,
    }
}

/// What is wrong with a variable that means no key; `meant` is the path nearest to it.
pub(super) fn unknown(name: &str, meant: Option<&str>) -> ConfigProblem {
    let by_name = || spelling::meant(&name.to_uppercase(), [FILE]).map(str::to_owned);
    ConfigProblem::UnknownVariable {
        name: name.to_owned(),
        nearest: meant.map(variable).or_else(by_name),
    }
}

/// The variable that means a path.
pub(super) fn variable(path: &str) -> String {
    let name = path.replace('.', "__").replace('-', "_");
    format!("{PREFIX}{}", name.to_uppercase())
}
