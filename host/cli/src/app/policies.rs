//! Policies, put together: the engine, who ranks, and what the configuration asks for.

use std::path::Path;
use std::sync::Arc;

use super::error::AppError;
use crate::config::{PolicySource, ProgramConfig};
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_control::rollout::Rollout;
use wastegate_control::rollout::ledger::Watched;
use wastegate_control::rollout::service::{ConfiguredPolicy, Engines, RolloutContext};
use wastegate_control::rollout::source::directory::{self, Watcher};
use wastegate_control::rollout::source::file::Unread;
use wastegate_control::rollout::source::oci::{self, Begun, Poller};
use wastegate_control::rollout::source::{Fetched, PolicyName, PolicyOrigin, Receive, file};
use wastegate_core::decision::Ranker;
use wastegate_core::types::{Clock, chain, spelling};
use wastegate_engine::policy::{
    self, Breakers, Catalog, Engine, LoadError, PolicyRanker, Runtime, shipped,
};

/// What a file is brought as whose own name is no policy's; its manifest says what it is called.
const FILE_NAME: &str = "configured-file";

/// Who ranks, who decides who does, and where more of them come from.
pub(super) struct Policies {
    pub(super) catalog: Arc<Catalog>,
    pub(super) breakers: Breakers,
    pub(super) ranker: Arc<dyn Ranker>,
    pub(super) runtime: Runtime,
    pub(super) rollout: Arc<Rollout>,
    watcher: Option<Arc<Watcher>>,
    poller: Option<Arc<Poller>>,
    _loads: Loads,
}

/// What is being compiled; dropped, it is ended, whoever waits for it.
struct Loads(Engine);

impl Drop for Loads {
    fn drop(&mut self) {
        self.0.stop_loading();
    }
}

impl Policies {
    /// Sets the engine up and seats whoever is to be active.
    pub(super) async fn build(
        config: &ProgramConfig,
        clock: &Clock,
        metrics: &mut MetricsRegistry,
    ) -> Result<Self, AppError> {
        let engine = Engine::new(config.policy.clone(), clock.clone()).map_err(AppError::Engine)?;
        let loads = Loads(engine.clone());
        let counters = policy::Metrics::default();
        counters.register(&engine, metrics.room("policy"));
        let runtime =
            Runtime::start(engine.clone(), counters.clone()).map_err(AppError::Threads)?;
        let catalog = Arc::new(Catalog::new(engine, shipped::table(), counters));
        let breakers = runtime.breakers().clone();
        let engines = Engines {
            catalog: catalog.clone(),
            breakers: breakers.clone(),
        };
        let given = RolloutContext {
            sources: config.sources.clone(),
            config: config.rollout.clone(),
            clock: clock.clone(),
        };
        let (choice, mut begun) = choice(config).await;
        let rollout = Rollout::start(engines, given, choice).await?;
        if rollout.awaits().is_some() {
            // It is to be brought again.
            begun.digest = None;
        }
        let bytes_max = config.policy.file_bytes_max();
        let receiver: Arc<dyn Receive> = Arc::new(rollout.clone());
        let watcher = Watcher::new(&config.sources.directory, bytes_max, receiver.clone());
        let follows_registry = matches!(config.ranking.source, PolicySource::Shipped(_));
        let poller = follows_registry
            .then(|| Poller::after(begun, &config.sources.registry, bytes_max, receiver))
            .flatten();
        let ranker = PolicyRanker::active(runtime.clone(), catalog.clone());
        Ok(Self {
            catalog,
            breakers,
            ranker: Arc::new(ranker),
            runtime,
            rollout,
            watcher,
            poller,
            _loads: loads,
        })
    }

    /// Starts listening to the breakers, and looking at the sources that are watched.
    pub(super) fn start(&self, supervisor: &Supervisor, tasks: &Tasks) {
        let rollout = self.rollout.clone();
        supervisor.run(tasks, "breaker-watch", move || {
            rollout.clone().watch_breakers()
        });
        if let Some(watcher) = self.watcher.clone() {
            supervisor.run(tasks, "policy-directory", move || {
                let watcher = watcher.clone();
                async move { watcher.run().await }
            });
        }
        if let Some(poller) = self.poller.clone() {
            supervisor.run(tasks, "policy-registry", move || {
                let poller = poller.clone();
                async move { poller.run().await }
            });
        }
    }
}

/// What the configuration asks for, fetched: a file if one is named, else what a registry has, else
/// what is in the watched directory under the name, else what the host ships under it. With what the poller
/// of the registry has to know of that.
async fn choice(config: &ProgramConfig) -> (ConfiguredPolicy, Begun) {
    let ranking = &config.ranking;
    let bytes_max = config.policy.file_bytes_max();
    let registry = &config.sources.registry;
    let mut begun = Begun::default();
    let (source, named) = match (&ranking.source, &registry.reference) {
        (PolicySource::File(path), _) => {
            let path = path.clone();
            let source = format!("file {}", path.display());
            let fetched = blocking(move || in_file(&path, bytes_max)).await;
            (source, Named::of(fetched))
        }
        (PolicySource::Shipped(_), Some(reference)) => {
            let pulled = oci::pull(registry, reference, bytes_max).await;
            begun = Begun::by(&pulled);
            let named = Named {
                watched: Some((Watched::Registry, reference.policy().clone())),
                ..Named::of(pulled.map_err(|error| chain(&error)))
            };
            (format!("registry {reference}"), named)
        }
        (PolicySource::Shipped(name), None) => {
            let (name, directory) = (name.clone(), config.sources.directory.path.clone());
            let source = format!("name {name}");
            let looked = blocking(move || Ok(named(&name, directory.as_deref(), bytes_max)));
            let named = looked.await.unwrap_or_else(|error| Named::of(Err(error)));
            (source, named)
        }
    };
    let Named {
        fetched,
        watched,
        instead,
    } = named;
    let choice = ConfiguredPolicy {
        source,
        fetched,
        watched,
        instead,
        params: ranking.params.clone(),
        limits: ranking.limits,
    };
    (choice, begun)
}

async fn blocking<T: Send + 'static>(
    fetch: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let fetched = tokio::task::spawn_blocking(fetch).await;
    fetched.unwrap_or_else(|error| Err(error.to_string()))
}

/// What a name in the configuration came to.
struct Named {
    fetched: Result<Fetched, String>,
    /// The source that is watched and may bring it later.
    watched: Option<(Watched, PolicyName)>,
    /// Why it is the shipped one and not that of the directory.
    instead: Option<String>,
}

impl Named {
    /// From a source that is not watched.
    const fn of(fetched: Result<Fetched, String>) -> Self {
        Self {
            fetched,
            watched: None,
            instead: None,
        }
    }
}

/// The policy of a name in the watched directory, else the one that the host ships.
fn named(name: &str, directory: Option<&Path>, bytes_max: u64) -> Named {
    let (Some(directory), Ok(policy)) = (directory, PolicyName::new(name)) else {
        return Named::of(shipped_as(name));
    };
    let away = || {
        let file = directory.join(format!("{name}.wasm"));
        format!("the file {} is away", file.display())
    };
    let (fetched, instead) = match directory::find(directory, &policy, bytes_max) {
        Ok(Some(fetched)) => (Ok(fetched), None),
        Ok(None) => match shipped_as(name) {
            Ok(shipped) => {
                let instead = format!(
                    "{}, and the `{name}` that the host ships is another policy: put the file back (`policy.directory.path`), or make it active with `wastegate policy activate {name}`",
                    away()
                );
                (Ok(shipped), Some(instead))
            }
            Err(_) => {
                let away = format!(
                    "{}, and the host ships no policy `{name}`: put the file there (`policy.directory.path`), or set `policy.name`",
                    away()
                );
                (Err(away), None)
            }
        },
        // The directory may not be used as it is, such as for its permissions: no file mends that.
        Err(Unread::Io { path, source }) if path == directory => {
            return Named::of(Err(chain(&Unread::Io { path, source })));
        }
        Err(unread) => (Err(chain(&unread)), None),
    };
    Named {
        fetched,
        watched: Some((Watched::Directory, policy)),
        instead,
    }
}

fn shipped_as(name: &str) -> Result<Fetched, String> {
    let known = PolicyName::new(name).ok();
    let fetched = known.as_ref().and_then(Fetched::shipped);
    fetched.ok_or_else(|| {
        let nearest = spelling::closest(name, shipped::names());
        let refused = LoadError::NoSuchPolicy {
            name: name.to_owned(),
            nearest: nearest.unwrap_or("builtin").to_owned(),
        };
        refused.to_string()
    })
}

fn in_file(path: &Path, bytes_max: u64) -> Result<Fetched, String> {
    let contents = file::read(path, bytes_max).map_err(|error| {
        let (path, why) = (path.display(), chain(&error));
        format!("cannot read the policy in {path} (`policy.file`): {why}")
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
        origin: PolicyOrigin::File(path.to_owned()),
    })
}

#[cfg(test)]
mod tests;
