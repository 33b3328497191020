//! From sources to a checked configuration: the layers, one over the other, and every problem of
//! all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::draft::Draft;
use super::environment::{self, Environment, variable};
use super::error::{ConfigError, ConfigProblem};
use super::flags::{self, Override};
use super::key::{Effect, Key, Secrecy};
use super::keys::{Found, Table};
use super::raw::{Entry, Raw, SettingOrigin, SettingValue};
use super::{ProgramConfig, cross, file};

/// Where the configuration comes from, lowest layer first. Under all of them are the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What `--config` names. Without it `WASTEGATE_CONFIG` may name a file, and without that
    /// none is read: what is set must not depend on the folder a process was started in.
    pub file: Option<PathBuf>,
    /// The variables of the process.
    pub environment: Environment,
    /// What stands behind each `--set`.
    pub set: Vec<String>,
    /// What shorthand flags set. They hold over `set`.
    pub overrides: Vec<Override>,
}

/// A configuration with where it came from.
#[derive(Debug, Clone)]
pub struct LoadedConfig {
    /// What was configured.
    pub config: ProgramConfig,
    /// Every key in the order of the table, with what it is set to and who set it.
    pub settings: Vec<Setting>,
    /// The values themselves, to be compared with others.
    pub(super) draft: Draft,
    /// What set those that are set.
    pub(super) origins: BTreeMap<String, SettingOrigin>,
}

/// What a running server makes of settings that were read again.
#[derive(Debug)]
pub struct Reread {
    /// What it runs by from now on: the new values of keys that are `live`, and of all others the values
    /// that it was started with.
    pub taken: LoadedConfig,
    /// The keys that are set otherwise than the server runs and that need a restart.
    pub waiting: Vec<String>,
}

impl LoadedConfig {
    /// What a server that was `started` with other settings takes over of these, by what the table says of
    /// each key.
    ///
    /// # Errors
    /// [`ConfigError`] where the new values of live keys do not go with what the others stay at.
    pub fn on(&self, started: &Self) -> Result<Reread, ConfigError> {
        let table = Table::new();
        let (mut taken, mut then) = (self.draft.clone(), started.draft.clone());
        let settings = self.settings.iter().chain(&started.settings);
        let paths: BTreeSet<&str> = settings.map(|setting| setting.key.as_str()).collect();
        let mut origins = self.origins.clone();
        let mut waiting = Vec::new();
        for path in paths {
            let waits = table.with(path, |key| {
                let waits = key.effect() == Effect::Restart && key.differs(&mut taken, &mut then);
                if waits {
                    key.copy(&mut then, &mut taken);
                }
                waits
            });
            if waits == Some(true) {
                waiting.push(path.to_owned());
                match started.origins.get(path) {
                    Some(origin) => origins.insert(path.to_owned(), origin.clone()),
                    None => origins.remove(path),
                };
            }
        }
        let taken = checked(&table, taken, origins, Vec::new())?;
        Ok(Reread { taken, waiting })
    }
}

/// What one key is set to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Setting {
    /// The key's path.
    pub key: String,
    /// Its value; of a secret only whether it is set.
    pub value: SettingValue,
    /// Who set it.
    pub origin: SettingOrigin,
}

/// Reads, checks and puts together the configuration.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load(sources: Sources) -> Result<LoadedConfig, ConfigError> {
    let table = Table::new();
    let mut problems = Vec::new();
    let entries = entries(sources, &table, &mut problems);

    let mut filling = Filling {
        table: &table,
        draft: Draft::default(),
        origins: BTreeMap::new(),
    };
    for entry in &entries {
        problems.extend(filling.apply(entry).err());
    }
    let Filling { draft, origins, .. } = filling;
    checked(&table, draft, origins, problems)
}

/// The configuration that a draft comes to, unless it has problems beyond the `known` ones or any of those.
pub(super) fn checked(
    table: &Table,
    draft: Draft,
    origins: BTreeMap<String, SettingOrigin>,
    known: Vec<ConfigProblem>,
) -> Result<LoadedConfig, ConfigError> {
    let (mut draft, mut problems) = (draft, known);
    let found = cross::check(table, &mut draft, &origins, &problems);
    problems.extend(found);
    ConfigError::unless_empty(problems)?;

    let settings = settings(table, &mut draft, &origins);
    let config = draft.clone().finish()?;
    Ok(LoadedConfig {
        config,
        settings,
        draft,
        origins,
    })
}

/// Every layer's entries, lowest layer first.
fn entries(sources: Sources, table: &Table, problems: &mut Vec<ConfigProblem>) -> Vec<Entry> {
    let Sources {
        file,
        environment,
        set,
        overrides,
    } = sources;
    let by_flag = |path| {
        (
            path,
            SettingOrigin::Flag {
                text: "--config".to_owned(),
            },
        )
    };
    let mut entries = Vec::new();
    if let Some((path, origin)) = file.map(by_flag).or_else(|| environment.file()) {
        match file::entries(&path, origin, table) {
            Ok(found) => entries.extend(found),
            Err(found) => problems.extend(found),
        }
    }
    entries.extend(environment.entries(table, problems));
    let mut flags = Vec::new();
    for text in &set {
        match Override::set(text) {
            Ok(one) => flags.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    flags.extend(overrides);
    entries.extend(flags::entries(flags));
    entries
}

struct Filling<'a> {
    table: &'a Table,
    draft: Draft,
    /// Who set what is set.
    origins: BTreeMap<String, SettingOrigin>,
}

impl Filling<'_> {
    fn apply(&mut self, entry: &Entry) -> Result<(), ConfigProblem> {
        match self.table.find(&entry.path) {
            Found::Key(key) => self.set(key, entry),
            // What else could be said of one route would depend on how many the file has.
            Found::Named(key) if key.is_of_list() && !is_of_file(entry) => Err(tables(entry)),
            Found::Named(key) => self.set(&key, entry),
            Found::Item(at) if entry.raw == Raw::Table => {
                self.draft.routes.entry(at).or_default();
                let origin = entry.origin.clone();
                self.origins.insert(entry.path.clone(), origin);
                Ok(())
            }
            Found::Tables | Found::Item(_) => Err(tables(entry)),
            Found::Section { such_as } => Err(ConfigProblem::Section {
                key: entry.path.clone(),
                origin: entry.origin.clone(),
                such_as,
            }),
            Found::Unknown { nearest } => Err(unknown(entry, nearest)),
        }
    }

    fn set(&mut self, key: &Key, entry: &Entry) -> Result<(), ConfigProblem> {
        if key.secrecy() == Secrecy::Secret && matches!(entry.origin, SettingOrigin::Flag { .. }) {
            return Err(ConfigProblem::SecretInFlag {
                key: entry.path.clone(),
                origin: entry.origin.clone(),
                variable: variable(&entry.path),
            });
        }
        key.set(&mut self.draft, entry)?;
        self.origins
            .insert(entry.path.clone(), entry.origin.clone());
        Ok(())
    }
}

fn is_of_file(entry: &Entry) -> bool {
    matches!(entry.origin, SettingOrigin::File { .. })
}

/// Something else where a list of tables belongs.
fn tables(entry: &Entry) -> ConfigProblem {
    ConfigProblem::Tables {
        key: entry.path.clone(),
        origin: entry.origin.clone(),
    }
}

fn unknown(entry: &Entry, nearest: Option<String>) -> ConfigProblem {
    if let SettingOrigin::Environment { name } = &entry.origin {
        return environment::unknown(name, nearest.as_deref());
    }
    ConfigProblem::Unknown {
        what: if entry.raw == Raw::Table {
            "section"
        } else {
            "key"
        },
        key: entry.path.clone(),
        origin: entry.origin.clone(),
        nearest,
    }
}

fn settings(
    table: &Table,
    draft: &mut Draft,
    origins: &BTreeMap<String, SettingOrigin>,
) -> Vec<Setting> {
    let mut settings: Vec<_> = table
        .keys()
        .map(|key| setting(key, draft, origins))
        .collect();
    for at in 0..draft.routes.len() {
        let section = table.route(at);
        settings.extend(
            section
                .keys()
                .iter()
                .map(|key| setting(key, draft, origins)),
        );
    }
    for path in origins.keys().filter(|path| !path.contains('[')) {
        if let Found::Named(key) = table.find(path) {
            settings.push(setting(&key, draft, origins));
        }
    }
    settings
}

fn setting(key: &Key, draft: &mut Draft, origins: &BTreeMap<String, SettingOrigin>) -> Setting {
    Setting {
        key: key.path().to_owned(),
        value: key.get(draft),
        origin: origins
            .get(key.path())
            .cloned()
            .unwrap_or(SettingOrigin::Default),
    }
}
