//! Whether a server would start with these settings: everything that it reads, loads and opens before it
//! listens, by the same functions, without listening and without leaving anything behind.
//!
//! A server that runs is not disturbed: its state directory and journals are looked at, not opened.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::core::Core;
use super::error::AppError;
use super::notes::{ACTIVITY, DECISIONS};
use super::policies::Policies;
use super::{acceptor, identify, key};
use crate::config::{PolicySource, ProgramConfig};
use wastegate::gateway::{DevIdentity, Gateway};
use wastegate::manager::SharedApplication;
use wastegate::observe::config::JournalConfig;
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::observe::{self, journal};
use wastegate_control::rollout::StartError;
use wastegate_control::rollout::config::WithoutPolicy;
use wastegate_core::types::Clock;
use wastegate_files as files;

/// Everything that would keep a server from starting, or from keeping what it is to keep.
pub async fn check(config: &ProgramConfig, application: SharedApplication) -> Vec<AppError> {
    let mut problems = Vec::new();
    let identity = identify(config).map_err(AppError::from);
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => {
            problems.push(error);
            Arc::new(DevIdentity::default())
        }
    };
    problems.extend(acceptor(config).err().map(AppError::from));
    let files = config.rollout.state_dir.as_deref();
    problems.extend(files.and_then(|folder| state(folder).err()));
    problems.extend(super::token::check(config).err());
    problems.extend(policies(config).err());
    let journals = [
        (DECISIONS, &config.observe.decisions),
        (ACTIVITY, &config.observe.activity),
    ];
    for (key, journal) in journals {
        let refused = journal.as_ref().and_then(|journal| writable(journal).err());
        problems.extend(refused.map(|source| AppError::Journal { key, source }));
    }

    let dry = without_files(config);
    let (clock, mut metrics) = (Clock::system(), MetricsRegistry::new());
    match Policies::build(&dry, &clock, &mut metrics).await {
        Ok(policies) => {
            let built = Core::with_policies(dry, application, identity, policies, clock, metrics);
            problems.extend(built.await.err());
        }
        Err(error) => {
            problems.push(named(error, config));
            problems.extend(Gateway::check(&config.gateway).err().map(AppError::from));
        }
    }
    problems
}

/// A policy's refusal with the key that names the policy; other errors say theirs.
fn named(error: AppError, config: &ProgramConfig) -> AppError {
    let source = match error {
        AppError::Rollout(source @ StartError::Policy(_)) => source,
        error => return error,
    };
    let registry = &config.sources.registry.reference;
    let (key, value) = match (&config.ranking.source, registry) {
        (PolicySource::File(path), _) => ("policy.file", path.display().to_string()),
        (PolicySource::Shipped(_), Some(reference)) => {
            ("policy.registry.reference", reference.to_string())
        }
        (PolicySource::Shipped(name), None) => ("policy.name", name.clone()),
    };
    AppError::Policy { key, value, source }
}

/// The same settings for a server that keeps nothing, and that wants its policy: who checks a configuration
/// wants to hear that it is not there, even where a server would start without it.
fn without_files(config: &ProgramConfig) -> ProgramConfig {
    let mut dry = config.clone();
    dry.rollout.state_dir = None;
    dry.operators.tokens_file = None;
    dry.rollout.start = WithoutPolicy::Fail;
    dry.observe.decisions = None;
    dry.observe.activity = None;
    // What is there is used and checked; what is not is the server's to make, as its own user.
    dry.policy.compiled_dir = dry.policy.compiled_dir.filter(|folder| folder.exists());
    dry
}

/// Whether state can be kept there, and what is kept can be read.
fn state(folder: &Path) -> Result<(), AppError> {
    takes_files(folder).map_err(|source| AppError::State {
        path: folder.to_owned(),
        source,
    })?;
    key::check(folder)
}

/// Whether policies can be looked for where they are to appear. A server would start and look again; who
/// checks a configuration wants to hear of a path that leads nowhere.
fn policies(config: &ProgramConfig) -> Result<(), AppError> {
    let Some(path) = &config.sources.directory.path else {
        return Ok(());
    };
    let listed = files::check_shared(path).and_then(|()| fs::read_dir(path));
    listed.map(|_| ()).map_err(|source| AppError::Directory {
        path: path.clone(),
        source,
    })
}

fn writable(config: &JournalConfig) -> Result<(), observe::Error> {
    journal::check(config)?;
    let path = &config.path;
    let opened = match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = OpenOptions::new().append(true).create_new(true).open(path);
            made.and_then(|_| fs::remove_file(path))
        }
        opened => opened.map(|_| ()),
    };
    opened.map_err(|source| {
        let path = path.clone();
        observe::Error::JournalOpen { path, source }
    })
}

/// Whether files can be made in a folder, which may not be there yet.
fn takes_files(folder: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .map(Path::to_owned)
        .collect();
    let made = files::make_folder(folder).and_then(|()| files::check_state(folder));
    for path in missing {
        // Only what this made, and only while it is empty.
        let _ = fs::remove_dir(path);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        takes_files(&deep).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(takes_files(&file.join("b")).is_err());
        assert!(takes_files(&file).is_err());
        let journal = folder.path().join("decisions.jsonl");
        writable(&JournalConfig::at(&journal)).unwrap();
        assert!(!journal.exists());
        assert!(writable(&JournalConfig::at(file.join("x"))).is_err());

        let mut config = ProgramConfig::default();
        policies(&config).unwrap();
        for (path, is_fine) in [(folder.path(), true), (&deep, false), (&file, false)] {
            config.sources.directory.path = Some(path.to_owned());
            assert_eq!(policies(&config).is_ok(), is_fine, "{}", path.display());
        }
    }
}
