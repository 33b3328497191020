//! The table of keys: every setting there is, once.
//!
//! A file per room lists its sections; an entry there is all that a new key needs, besides the field
//! with its default in the room's own settings. What is read, checked, shown and documented follows
//! from it, and what SIGHUP changes.

/// A section: the name of the draft, its path and what it is about; then its keys, each with a
/// sentence for the operator, whether SIGHUP (`live`) or a start (`restart`) takes a new value over,
/// its name, what it takes, and the field of the draft that it sets.
macro_rules! section {
    (
        |$draft:ident| $path:expr, $about:expr;
        $($(#[doc = $doc:literal])+ $effect:ident $name:ident: $shape:expr => $field:expr;)*
    ) => {
        Section::new($path, $about)$(.$effect(
            stringify!($name),
            $shape,
            move |$draft| &mut $field,
            concat!($($doc),+),
        ))*
    };
}

mod admission;
mod cleanup;
#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod gateway;
mod health;
mod identity;
mod limits;
mod load;
mod manager;
mod observe;
#[cfg(feature = "otlp")]
mod otlp;
mod policy;
mod rollout;
mod routes;
mod server;
mod sources;
mod webhook;

use super::draft::Draft;
use super::key::{Effect, Key};
use super::shape::Shape;
use wastegate_core::types::spelling;
use wastegate_core::types::units::{DAY, GIB, HOUR, KIB, MIB, MINUTE, SECOND};

/// Every section, in the order in which they are documented.
pub(super) struct Table {
    sections: Vec<Section>,
}

/// A TOML table and its keys.
pub(super) struct Section {
    path: String,
    doc: String,
    keys: Vec<Key>,
    /// The key of any name, where names are not ours to know.
    open: Option<fn(&str) -> Key>,
}

/// What a path is.
pub(super) enum Found<'a> {
    Key(&'a Key),
    /// A key of an open section.
    Named(Key),
    /// A section, with one of its keys.
    Section {
        such_as: String,
    },
    /// A list of tables, of which there is one.
    Tables,
    /// One table of the list.
    Item(usize),
    /// Nothing, with the nearest path that is something.
    Unknown {
        nearest: Option<String>,
    },
}

impl Table {
    pub(super) fn new() -> Self {
        let rooms = vec![
            server::sections(),
            identity::sections(),
            limits::sections(),
            admission::sections(),
            manager::sections(),
            health::sections(),
            connection::sections(),
            cleanup::sections(),
            gateway::sections(),
            policy::sections(),
            rollout::sections(),
            sources::sections(),
            observe::sections(),
            webhook::sections(),
            #[cfg(feature = "cluster")]
            cluster::sections(),
            #[cfg(feature = "otlp")]
            otlp::sections(),
        ];
        Self {
            sections: rooms.into_iter().flatten().collect(),
        }
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.sections.iter().flat_map(|section| &section.keys)
    }

    /// The keys of one table of the list of routes.
    pub(super) fn route(&self, at: usize) -> Section {
        routes::section(at)
    }

    /// Whether a list of tables may stand at this path.
    pub(super) fn is_list(&self, path: &str) -> bool {
        path == routes::PATH
    }

    /// What a path beneath the list of routes is.
    fn find_route(&self, path: &str) -> Option<Found<'_>> {
        let beneath = path.strip_prefix(routes::PATH)?;
        if beneath.is_empty() || beneath.starts_with('.') {
            return Some(Found::Tables);
        }
        let (at, key) = beneath.strip_prefix('[')?.split_once(']')?;
        let at = at.parse().ok()?;
        if key.is_empty() {
            return Some(Found::Item(at));
        }
        let keys = self.route(at).keys;
        let paths = keys.iter().map(Key::path);
        let nearest = spelling::meant(path, paths).map(str::to_owned);
        let found = keys.into_iter().find(|key| key.path() == path);
        Some(found.map_or(Found::Unknown { nearest }, Found::Named))
    }

    pub(super) fn find(&self, path: &str) -> Found<'_> {
        if let Some(found) = self.find_route(path) {
            return found;
        }
        if let Some(key) = self.keys().find(|key| key.path() == path) {
            return Found::Key(key);
        }
        if let Some(such_as) = self.such_as(path) {
            return Found::Section { such_as };
        }
        let mut open = self.sections.iter().filter_map(|section| {
            let name = path.strip_prefix(&section.path)?.strip_prefix('.')?;
            Some((&section.path, section.open?, name))
        });
        if let Some((section, open, name)) = open.next() {
            let spelled = hyphenated(name);
            if spelled == name && !name.is_empty() {
                return Found::Named(open(name));
            }
            let spelled = (!spelled.is_empty()).then(|| format!("{section}.{spelled}"));
            return Found::Unknown { nearest: spelled };
        }
        Found::Unknown {
            nearest: self.nearest(path),
        }
    }

    /// What is said of the key at this path, if there is one.
    pub(super) fn with<R>(&self, path: &str, say: impl FnOnce(&Key) -> R) -> Option<R> {
        match self.find(path) {
            Found::Key(key) => Some(say(key)),
            Found::Named(key) => Some(say(&key)),
            Found::Section { .. } | Found::Tables | Found::Item(_) | Found::Unknown { .. } => None,
        }
    }

    /// Whether a TOML table may stand at this path.
    pub(super) fn is_section(&self, path: &str) -> bool {
        self.such_as(path).is_some()
    }

    /// Whether the section of this path takes keys of any name.
    pub(super) fn is_open(&self, path: &str) -> bool {
        self.sections
            .iter()
            .any(|section| section.path == path && section.open.is_some())
    }

    /// A key beneath a section, to show how one is written.
    fn such_as(&self, path: &str) -> Option<String> {
        let beneath = |inner: &str| {
            inner
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        let key = self.keys().map(Key::path).find(|key| beneath(key));
        let open = || self.is_open(path).then(|| format!("{path}.<name>"));
        key.map(str::to_owned).or_else(open)
    }

    /// The path that was most likely meant: one that is spelled nearly the same, or the key of
    /// that name in another section.
    fn nearest(&self, path: &str) -> Option<String> {
        // Of a key that its section has not, the section is no better word.
        let within = path.rsplit_once('.').map(|(section, _)| section);
        let paths = self.sections.iter().map(|section| section.path.as_str());
        let paths = paths.filter(|section| Some(*section) != within);
        let paths = paths.chain(self.keys().map(Key::path));
        let paths = paths.chain([routes::PATH]);
        let name = path.rsplit('.').next().unwrap_or(path);
        let elsewhere = || self.keys().find(|key| key.name() == name).map(Key::path);
        spelling::meant(path, paths)
            .or_else(elsewhere)
            .map(str::to_owned)
    }
}

impl Section {
    fn new(path: impl Into<String>, doc: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            doc: doc.into(),
            keys: Vec::new(),
            open: None,
        }
    }

    /// One more key that takes effect at SIGHUP.
    fn live<T, S, L>(self, name: &str, shape: S, lens: L, doc: &str) -> Self
    where
        T: Clone + PartialEq + 'static,
        S: Shape<T> + 'static,
        L: Fn(&mut Draft) -> &mut T + 'static,
    {
        self.key(name, Effect::Live, shape, lens, doc)
    }

    /// One more key that takes effect at the next start.
    fn restart<T, S, L>(self, name: &str, shape: S, lens: L, doc: &str) -> Self
    where
        T: Clone + PartialEq + 'static,
        S: Shape<T> + 'static,
        L: Fn(&mut Draft) -> &mut T + 'static,
    {
        self.key(name, Effect::Restart, shape, lens, doc)
    }

    fn key<T, S, L>(mut self, name: &str, effect: Effect, shape: S, lens: L, doc: &str) -> Self
    where
        T: Clone + PartialEq + 'static,
        S: Shape<T> + 'static,
        L: Fn(&mut Draft) -> &mut T + 'static,
    {
        let path = format!("{}.{name}", self.path);
        let shape = shape.at(&path);
        self.keys
            .push(Key::new(path, effect, shape, doc.trim(), lens));
        self
    }

    pub(super) fn doc(&self) -> &str {
        &self.doc
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Its path as the head of a table in a file.
    pub(super) fn head(&self) -> String {
        head(&self.path)
    }

    /// A key of an open section, to show how one is written.
    pub(super) fn example(&self) -> Option<Key> {
        self.open.map(|open| open("name"))
    }
}

/// A section's path as the head of a table in a file.
pub(super) fn head(path: &str) -> String {
    match path.split_once('[') {
        Some((list, _)) => format!("[[{list}]]"),
        None => format!("[{path}]"),
    }
}

/// A name as open sections want them: lower case words joined by hyphens.
pub(super) fn hyphenated(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}
