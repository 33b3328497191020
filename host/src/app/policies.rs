//! Policies, put together: the engine, who ranks, and what the configuration asks for.

use std::path::Path;
use std::sync::Arc;

use super::error::AppError;
use crate::config::{Config, PolicySource};
use crate::decision::Ranker;
use crate::observe::metrics::Metrics;
use crate::policy::{self, Catalog, Engine, LoadError, PolicyRanker, Runtime, shipped};
use crate::rollout::Rollout;
use crate::rollout::service::{Choice, Engines};
use crate::rollout::signature::Keys;
use crate::rollout::source::{Fetched, Origin, PolicyName, file};
use crate::types::Clock;

/// What a file is brought as whose own name is no policy's; its manifest says what it is called.
const FILE_NAME: &str = "configured-file";

/// Who ranks, and who decides who does.
pub(super) struct Policies {
    pub(super) catalog: Arc<Catalog>,
    pub(super) ranker: Arc<dyn Ranker>,
    pub(super) rollout: Arc<Rollout>,
}

/// Starts the engine and seats whoever is to be in charge.
pub(super) async fn start(
    config: &Config,
    clock: &Clock,
    metrics: &mut Metrics,
) -> Result<Policies, AppError> {
    let engine = Engine::new(config.policy.clone(), clock.clone()).map_err(AppError::Engine)?;
    let counters = policy::Metrics::default();
    counters.register(&engine, metrics.room("policy"));
    let runtime = Runtime::start(engine.clone(), counters.clone()).map_err(AppError::Threads)?;
    let catalog = Arc::new(Catalog::new(engine, shipped::table(), counters));
    let engines = Engines {
        catalog: catalog.clone(),
        breakers: runtime.breakers().clone(),
    };
    let rollout = Rollout::start(
        engines,
        Keys::default(),
        config.rollout.clone(),
        clock.clone(),
        choice(config).await,
    );
    let rollout = rollout.await.map_err(AppError::Rollout)?;
    let ranker = PolicyRanker::champion(runtime, catalog.clone());
    Ok(Policies {
        catalog,
        ranker: Arc::new(ranker),
        rollout,
    })
}

/// What the configuration asks for, fetched.
async fn choice(config: &Config) -> Choice {
    let ranking = &config.ranking;
    let (source, fetched) = match &ranking.source {
        PolicySource::Shipped(name) => (format!("shipped {name}"), shipped_as(name)),
        PolicySource::File(path) => {
            let (path, max) = (path.clone(), config.policy.size_bytes_max);
            let source = format!("file {}", path.display());
            let read = tokio::task::spawn_blocking(move || in_file(&path, max));
            let fetched = read.await.unwrap_or_else(|error| Err(error.to_string()));
            (source, fetched)
        }
    };
    Choice {
        source,
        fetched,
        params: ranking.params.clone(),
        limits: ranking.limits,
    }
}

fn shipped_as(name: &str) -> Result<Fetched, String> {
    let mut table = shipped::table().iter();
    let known = table.find(|(known, _)| *known == name);
    match (known, PolicyName::new(name)) {
        (Some((_, bytes)), Ok(name)) => Ok(Fetched {
            name,
            bytes: (*bytes).into(),
            signature: None,
            origin: Origin::Shipped,
        }),
        (_, _) => {
            let names = shipped::table().iter().map(|(known, _)| *known);
            let nearest = names.min_by_key(|known| strsim::damerau_levenshtein(known, name));
            let refused = LoadError::NoSuchPolicy {
                name: name.to_owned(),
                nearest: nearest.unwrap_or("builtin").to_owned(),
            };
            Err(refused.to_string())
        }
    }
}

fn in_file(path: &Path, bytes_max: u64) -> Result<Fetched, String> {
    let contents = file::read(path, bytes_max).map_err(|error| {
        let path = path.display();
        let below = std::error::Error::source(&error);
        let why = below.map(|why| format!(": {why}")).unwrap_or_default();
        format!("cannot read the policy in {path} (`policy.file`): {error}{why}")
    })?;
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let name = stem.and_then(|stem| PolicyName::new(stem).ok());
    let name = match name {
        Some(name) => name,
        None => PolicyName::new(FILE_NAME).map_err(|error| error.to_string())?,
    };
    Ok(Fetched {
        name,
        bytes: contents.bytes,
        signature: contents.signature,
        origin: Origin::File(path.to_owned()),
    })
}
