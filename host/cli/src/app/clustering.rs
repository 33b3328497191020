//! The cluster that the settings name: the ledger in its engine, and who this node is in it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::error::AppError;
use super::sharing::Shared;
use crate::config::{ClusterSettings, EngineKind};
use wastegate::cluster;
use wastegate::embed::Builder;
use wastegate_cluster::ledger::{Leases, NameHasher, NodeName, NodeNote};
use wastegate_cluster::redis::{EngineAddress, RedisLedger, RedisSettings, StepForm};
use wastegate_control::levers::everywhere::LeverSeal;
use wastegate_core::types::Secret;

/// Where the system keeps the name of this host.
const HOST_NAMES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];

/// The engine, and how this node takes part in what is there.
type Membership = (Arc<RedisLedger>, LeverSeal, cluster::Config);

/// Makes a gateway one node of the cluster that the settings name, if they name one. With it, where the nodes share
/// what ranks and what operators set.
pub(super) fn join(
    builder: Builder,
    settings: &ClusterSettings,
) -> Result<(Builder, Option<Shared>), AppError> {
    Ok(match of(settings)? {
        Some((store, seal, config)) => {
            let builder = builder.cluster(store.clone(), config);
            (builder, Some(Shared { store, seal }))
        }
        None => (builder, None),
    })
}

/// What the settings come to; none without an engine. Nothing is connected yet.
fn of(settings: &ClusterSettings) -> Result<Option<Membership>, AppError> {
    if !settings.is_on() {
        return Ok(None);
    }
    let (secret, key) = secret(settings)?;
    let hasher = NameHasher::new(secret.reveal());
    let hasher = hasher.map_err(|source| AppError::Cluster { key, source })?;
    let config = cluster::Config {
        node: node(settings)?,
        note: NodeNote {
            admin: settings.admin.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..NodeNote::default()
        },
        hasher,
        dead_after: settings.dead_after,
        budget: settings.budget,
        away: settings.away,
    };
    let ledger = RedisLedger::new(&RedisSettings {
        address: address(settings),
        prefix: settings.prefix.clone(),
        leases: Leases::default(),
        form: StepForm::Best,
    });
    let ledger = ledger.map_err(AppError::ClusterEngine)?;
    Ok(Some((ledger, LeverSeal::new(&secret), config)))
}

fn address(settings: &ClusterSettings) -> EngineAddress {
    let secrets = || settings.addresses().map(|it| Secret::new(it.to_owned()));
    let first = || secrets().next().unwrap_or_default();
    match settings.kind {
        EngineKind::Server => EngineAddress::Server(first()),
        EngineKind::Sentinel => EngineAddress::Sentinel {
            sentinels: secrets().collect(),
            service: settings.service.clone(),
            servers: first(),
        },
        EngineKind::Cluster => EngineAddress::Cluster(secrets().collect()),
    }
}

/// The cluster's secret, and the key that has it.
fn secret(settings: &ClusterSettings) -> Result<(Secret, &'static str), AppError> {
    let Some(path) = &settings.secret_file else {
        return Ok((settings.secret.clone(), "cluster.secret"));
    };
    let text = fs::read_to_string(path).map_err(|source| AppError::ClusterSecret {
        path: path.clone(),
        source,
    })?;
    let secret = text.lines().next().unwrap_or_default().trim();
    Ok((Secret::new(secret.to_owned()), "cluster.secret_file"))
}

fn node(settings: &ClusterSettings) -> Result<NodeName, AppError> {
    let host = || {
        let read = |path: &&str| fs::read_to_string(Path::new(path)).ok();
        HOST_NAMES.iter().find_map(read).unwrap_or_default()
    };
    let name = match &*settings.node {
        "" => host().trim().to_owned(),
        name => name.to_owned(),
    };
    NodeName::new(&name).map_err(|source| AppError::Cluster {
        key: "cluster.node",
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ClusterSettings {
        ClusterSettings {
            engine: Secret::new("redis://127.0.0.1:1, redis://127.0.0.1:2"),
            secret: Secret::new("a secret of sixteen"),
            ..ClusterSettings::default()
        }
    }

    #[tokio::test]
    async fn without_an_engine_there_is_no_cluster_and_with_one_it_is_complete_or_named() {
        assert!(of(&ClusterSettings::default()).unwrap().is_none());
        let (_, _, config) = of(&settings()).unwrap().unwrap();
        assert!(!config.node.as_str().is_empty(), "the host has a name");

        let refused = |settings: ClusterSettings| of(&settings).unwrap_err().keys();
        let short = Secret::new("short");
        assert_eq!(
            refused(ClusterSettings {
                secret: short,
                ..settings()
            }),
            ["cluster.secret"]
        );
        let engine = Secret::new("http://127.0.0.1");
        assert_eq!(
            refused(ClusterSettings {
                engine,
                ..settings()
            }),
            ["cluster.engine", "cluster.kind"]
        );
        let folder = tempfile::tempdir().unwrap();
        let secret_file = Some(folder.path().join("secret"));
        let file = || ClusterSettings {
            secret_file: secret_file.clone(),
            ..settings()
        };
        assert_eq!(refused(file()), ["cluster.secret_file"]);
        fs::write(folder.path().join("secret"), "short\nand more of it\n").unwrap();
        assert_eq!(refused(file()), ["cluster.secret_file"]);
        fs::write(folder.path().join("secret"), "a secret of sixteen\n").unwrap();
        let (_, _, of_file) = of(&file()).unwrap().unwrap();
        let user = wastegate_core::types::UserId::new("ann").unwrap();
        assert_eq!(of_file.hasher.user(&user), config.hasher.user(&user));
    }
}
