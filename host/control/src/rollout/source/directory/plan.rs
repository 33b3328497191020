//! What follows from a look at the directory: which files to read, and what to tell. Pure.
//!
//! A file is read when two looks in a row saw it unchanged, so that what is being written waits.
//! What was read is known by digest; the system's stamps only say when reading again is not worth
//! it, and even that is not believed for ever ([`Memory::doubt`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::rollout::source::file::{Contents, Stamps};
use crate::rollout::source::{PolicyName, Sighting};

use super::FILES_MAX;

/// What a look sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listing {
    /// The files that may be policies, at most [`FILES_MAX`].
    pub(super) files: BTreeMap<PolicyName, Stamps>,
    /// What is there and is no policy's file, in sentences.
    pub(super) odd: BTreeSet<String>,
}

/// What is known from the looks before.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    files: BTreeMap<PolicyName, Known>,
    /// What was told and still holds.
    odd: BTreeSet<String>,
    /// Whether anything was ever seen: what comes after that was put there while we looked.
    has_looked: bool,
}

/// What is known of one file.
#[derive(Debug, Clone)]
struct Known {
    sight: Sight,
    /// How the next thing that is handed over relates to what was there before.
    sighting: Sighting,
    /// What was handed over last.
    identity: Option<Identity>,
    /// The trouble that was told last and still holds.
    trouble: Option<String>,
    /// Looks for which it is left alone.
    rest: u32,
}

/// How a file was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// So, and it was not dealt with yet: it may still be being written.
    New(Stamps),
    /// So, and it was dealt with.
    Settled(Stamps),
    /// The file was seen before and is no longer there.
    Gone,
}

/// What a file and its signature are, whatever they are called and however often they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) digest: Arc<str>,
    signature: Option<String>,
}

/// What to do after a look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Todo {
    /// The policies whose files are to be read.
    pub(super) read: Vec<PolicyName>,
    /// The sentences that are to be logged.
    pub(super) tell: Vec<String>,
}

impl Identity {
    pub(super) fn of(contents: &Contents) -> Self {
        Self {
            digest: wastegate_engine::policy::load::digest(&contents.bytes),
            signature: contents.signature.clone(),
        }
    }
}

impl Memory {
    /// Takes in what a look saw.
    pub(super) fn look(&mut self, seen: &Listing) -> Todo {
        let mut todo = Todo::default();
        let sighting = if self.has_looked {
            Sighting::Changed
        } else {
            Sighting::First
        };
        self.has_looked = true;
        for (name, stamps) in &seen.files {
            let known = self.files.entry(name.clone()).or_insert(Known {
                sight: Sight::Gone,
                sighting,
                identity: None,
                trouble: None,
                rest: 0,
            });
            match known.sight {
                Sight::Settled(before) if before == *stamps => {}
                Sight::New(before) if before == *stamps && known.rest > 0 => known.rest -= 1,
                Sight::New(before) if before == *stamps => todo.read.push(name.clone()),
                Sight::New(_) | Sight::Settled(_) | Sight::Gone => {
                    known.sight = Sight::New(*stamps);
                    known.rest = 0;
                }
            }
        }
        for (name, known) in &mut self.files {
            if !seen.files.contains_key(name) {
                known.sight = Sight::Gone;
                known.trouble = None;
            }
        }
        if self.files.len() > 2 * FILES_MAX {
            self.files.retain(|_, known| known.sight != Sight::Gone);
        }
        let news = seen.odd.difference(&self.odd);
        todo.tell.extend(news.cloned());
        self.odd.clone_from(&seen.odd);
        todo
    }

    /// Whether these contents are worth handing over, and as what; none if they were the last ones
    /// of this name that were.
    pub(super) fn sighting(&self, name: &PolicyName, identity: &Identity) -> Option<Sighting> {
        let known = self.files.get(name)?;
        (known.identity.as_ref() != Some(identity)).then_some(known.sighting)
    }

    /// These contents were dealt with: until the stamps change there is nothing to do.
    pub(super) fn settle(&mut self, name: &PolicyName, stamps: Stamps, identity: Option<Identity>) {
        if let Some(known) = self.files.get_mut(name) {
            known.sight = Sight::Settled(stamps);
            if identity.is_some() {
                known.identity = identity;
                known.sighting = Sighting::Changed;
                known.trouble = None;
            }
        }
    }

    /// These contents cannot be dealt with now: the file is left alone for some looks, unless it
    /// changes.
    pub(super) fn postpone(&mut self, name: &PolicyName, looks: u32) {
        if let Some(known) = self.files.get_mut(name) {
            known.rest = looks;
        }
    }

    /// Whether a trouble with a file is to be told: it is another one than before.
    pub(super) fn troubles(&mut self, name: &PolicyName, trouble: &str) -> bool {
        let Some(known) = self.files.get_mut(name) else {
            return true;
        };
        let news = known.trouble.as_deref() != Some(trouble);
        if news {
            known.trouble = Some(trouble.to_owned());
        }
        news
    }

    /// How many files are known.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.files.len()
    }

    /// Believes the stamps no more: everything is read again at the next look, and compared by
    /// digest.
    pub(super) fn doubt(&mut self) {
        for known in self.files.values_mut() {
            if let Sight::Settled(stamps) = known.sight {
                known.sight = Sight::New(stamps);
            }
        }
    }
}
