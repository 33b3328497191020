//! A running gateway, and everything that a test may look at.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wastegate::admission::Admission;
use wastegate::cleanup::Cleaner;
use wastegate::manager::Manager;
use wastegate::registry::Registry;
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_cli::app::{App, Auditor, Recording};
use wastegate_control::rollout::Rollout;
use wastegate_core::types::{ManagerKey, Timestamp, UserId};
use wastegate_engine::policy::{Breakers, Catalog};

use super::client::Client;
use super::dial::{Dial, Refusal};
use super::events::Events;
use super::http::{self, Reply};
use super::wait::{until, within};

/// A gateway that runs until it is stopped or dropped.
pub struct Server {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// Who is there.
    pub registry: Arc<Registry>,
    /// Who makes room.
    pub cleaner: Arc<Cleaner>,
    /// Who lets in.
    pub admission: Arc<Admission>,
    /// The policies.
    pub catalog: Arc<Catalog>,
    /// Which policies are quarantined.
    pub breakers: Breakers,
    /// Which revisions are active.
    pub rollout: Arc<Rollout>,
    /// What runs for it.
    pub tasks: Tasks,
    /// Who keeps its background workers running.
    pub supervisor: Supervisor,
    /// Who asks managers at random.
    pub auditor: Auditor,
    recording: Arc<Recording>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<bool>,
    files: TempDir,
}

/// What a server that was stopped left behind.
pub struct Stopped {
    /// Everything ended by itself within the drain time.
    pub drained: bool,
    /// The decision journal, a record a line; empty without one.
    pub decisions: Vec<Value>,
}

impl Server {
    pub(super) fn run(app: App, files: TempDir) -> Self {
        let core = app.core();
        let (stop, stopped) = oneshot::channel::<()>();
        let (registry, cleaner) = (core.registry().clone(), core.cleaner().clone());
        let (admission, catalog) = (core.admission().clone(), core.catalog().clone());
        let (tasks, recording) = (core.tasks().clone(), core.recording().clone());
        let supervisor = core.supervisor().clone();
        let breakers = core.breakers().clone();
        let rollout = core.rollout().clone();
        let auditor = core.auditor();
        let (address, admin) = (app.address().unwrap(), app.admin_address().unwrap());
        let running = Tasks::new().spawn(
            "server",
            app.run(async {
                // Dropped or told: either way it is over.
                let _ = stopped.await;
            }),
        );
        Self {
            address,
            admin: admin.unwrap(),
            registry,
            cleaner,
            admission,
            catalog,
            breakers,
            rollout,
            tasks,
            supervisor,
            auditor,
            recording,
            stop: Some(stop),
            running,
            files,
        }
    }

    /// A client that is not connected yet.
    #[must_use]
    pub fn dial(&self, user: &str, key: &str) -> Dial {
        Dial::new(self.address, user, key)
    }

    /// A client that is let in and attached.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn enter(&self, user: &str, key: &str) -> Client {
        self.attach(self.dial(user, key)).await
    }

    /// The same for a client with something special.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn attach(&self, dial: Dial) -> Client {
        let client = dial
            .connect()
            .await
            .unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
        self.attached(&client).await;
        client
    }

    /// Waits until a client that was let in is attached to its manager.
    pub async fn attached(&self, client: &Client) {
        until(format!("{client:?} to attach"), || {
            self.manager(&client.user, &client.key)
                .is_some_and(|manager| {
                    let ports = manager.ports();
                    ports
                        .iter()
                        .any(|port| port.device.as_str() == client.device && !port.is_closing())
                })
        })
        .await;
    }

    /// A client that is refused, with what it was told.
    ///
    /// # Panics
    /// If it is let in.
    pub async fn refused(&self, user: &str, key: &str) -> Refusal {
        match self.dial(user, key).connect().await {
            Err(refusal) => refusal,
            Ok(client) => panic!("{client:?} was let in"),
        }
    }

    /// So many managers of a user, `k1` and so on, in this order of their last activity.
    pub async fn fill(&self, user: &str, managers: usize) -> Vec<Client> {
        let keys: Vec<String> = (1..=managers).map(|number| format!("k{number}")).collect();
        let mut clients = join_all(keys.iter().map(|key| self.enter(user, key))).await;
        for client in &mut clients {
            client.echo("first").await;
        }
        clients
    }

    /// How many managers a user holds.
    #[must_use]
    pub fn held(&self, user: &str) -> u32 {
        self.registry.held(&UserId::new(user).unwrap())
    }

    /// Waits until a user holds so many.
    pub async fn holds(&self, user: &str, managers: u32) {
        let user = UserId::new(user).unwrap();
        until(format!("{user} to hold {managers}"), || {
            self.registry.held(&user) == managers
        })
        .await;
    }

    /// A user's manager of a key.
    #[must_use]
    pub fn manager(&self, user: &str, key: &str) -> Option<Arc<Manager>> {
        self.registry
            .get(&UserId::new(user).unwrap(), &ManagerKey::new(key).unwrap())
    }

    /// The keys that a user holds, sorted.
    #[must_use]
    pub fn keys(&self, user: &str) -> Vec<String> {
        let managers = self.registry.of(&UserId::new(user).unwrap());
        let mut keys: Vec<String> = managers.iter().map(|m| m.key.to_string()).collect();
        keys.sort_unstable();
        keys
    }

    /// Now, by the gateway's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.cleaner.now()
    }

    /// Everything that is decided from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.recording.watch())
    }

    /// Asks the operators' API.
    pub async fn get(&self, path: &str) -> Reply {
        http::ask(self.admin, "GET", path, None).await
    }

    /// Tells the operators' API something.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        http::ask(self.admin, "POST", path, Some(body)).await
    }

    /// Sets something by the operators' API.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        http::ask(self.admin, "PUT", path, Some(body)).await
    }

    /// Uploads a policy to the operators' API; `query` is what comes behind the `?`.
    pub async fn upload(&self, name: &str, query: &str, bytes: &[u8]) -> Reply {
        http::put(
            self.admin,
            &format!("/v1/policies/{name}?{query}"),
            &[],
            bytes,
        )
        .await
    }

    /// `GET /v1/stats`.
    pub async fn stats(&self) -> Value {
        self.get("/v1/stats").await.json()
    }

    /// Managers of a health by the stats.
    pub async fn count_of(&self, health: &str) -> u64 {
        self.stats().await["health"][health].as_u64().unwrap_or(0)
    }

    /// One metric with its labels, e.g. `wastegate_cleanup_struck_total{why="repeated"}`; 0 if it
    /// was never counted.
    ///
    /// # Panics
    /// If its value is no number.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Stops it as a signal would.
    ///
    /// # Panics
    /// If it panicked.
    pub async fn stop(mut self) -> Stopped {
        drop(self.stop.take());
        let drained = within("the server to stop", &mut self.running)
            .await
            .unwrap();
        let journal: PathBuf = self.files.path().join("decisions.jsonl");
        let lines = std::fs::read_to_string(journal).unwrap_or_default();
        let decisions = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        Stopped { drained, decisions }
    }
}
