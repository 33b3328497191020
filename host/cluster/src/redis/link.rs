//! Connections to the engine: one server, a service of Sentinels, or a Redis Cluster. They are made at the first
//! call and made again when they are lost, so a gateway starts without its engine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue,
    IntoConnectionInfo, ProtocolVersion, RedisError, TlsMode,
};
use tokio::sync::Mutex;

use crate::ledger::LedgerError;
use wastegate_core::types::Secret;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long an answer may take, whatever the caller waits for: then the call has failed.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// After how long without an acknowledgement a connection is given up: a machine that is gone says nothing.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to connect.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where the engine is. Addresses are `redis://[user:password@]host[:port][/database]`, or `rediss://` with TLS.
#[derive(Debug, Clone)]
pub enum EngineAddress {
    /// One server.
    Server(Secret),
    /// The primary of a service that Sentinels watch.
    Sentinel {
        /// The Sentinels.
        sentinels: Vec<Secret>,
        /// The service's name.
        service: String,
        /// User, password, database and TLS of the servers, as an address whose host and port do not count.
        servers: Secret,
    },
    /// A Redis Cluster, by some of its nodes.
    Cluster(Vec<Secret>),
}

/// A connection that many calls share.
#[derive(Clone)]
pub(super) enum Link {
    Server(ConnectionManager),
    Sentinel(Arc<Watched>),
    Cluster(ClusterConnection),
}

/// The connection to the primary that Sentinels name.
pub(super) struct Watched {
    // An async lock, so that one call at a time looks for the primary; the others wait for what it finds.
    state: Mutex<(SentinelClient, Option<MultiplexedConnection>)>,
    patient: bool,
}

impl Link {
    /// Checks the address; connects later. A `patient` one carries calls that wait at the engine.
    pub(super) fn new(address: &EngineAddress, patient: bool) -> Result<Self, RedisError> {
        let answer_max = (!patient).then_some(ANSWER_MAX);
        Ok(match address {
            EngineAddress::Server(url) => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(CONNECT_MAX))
                    .set_response_timeout(answer_max)
                    .set_max_delay(PAUSE_MAX);
                let client = Client::open(info(url)?)?;
                Self::Server(ConnectionManager::new_lazy_with_config(client, config)?)
            }
            EngineAddress::Sentinel {
                sentinels,
                service,
                servers,
            } => {
                let sentinels = sentinels.iter().map(info).collect::<Result<_, _>>()?;
                let servers = info(servers)?;
                let mut node = SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(servers.redis_settings().clone())
                    .set_tcp_settings(servers.tcp_settings().clone());
                if matches!(servers.addr(), ConnectionAddr::TcpTls { .. }) {
                    node = node.set_tls_mode(TlsMode::Secure);
                }
                let kind = SentinelServerType::Master;
                let client = SentinelClient::build(sentinels, service, Some(node), kind)?;
                Self::Sentinel(Arc::new(Watched {
                    state: Mutex::new((client, None)),
                    patient,
                }))
            }
            EngineAddress::Cluster(nodes) => {
                let nodes = nodes.iter().map(info).collect::<Result<Vec<_>, _>>()?;
                let tcp = nodes.first().map(|node| node.tcp_settings().clone());
                let builder = ClusterClient::builder(nodes)
                    .tcp_settings(tcp.unwrap_or_default())
                    .connection_timeout(CONNECT_MAX)
                    .response_timeout(answer_max.unwrap_or(Duration::from_secs(3_600)));
                let client = builder.build()?;
                Self::Cluster(client.get_pending_async_connection_with_config(Default::default()))
            }
        })
    }

    /// Carries one command.
    pub(super) async fn carry<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Server(manager) => command.query_async(&mut manager.clone()).await,
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
            Self::Sentinel(watched) => watched.carry(command).await,
        }
    }

    /// Carries several commands on keys of one slot, in one go.
    pub(super) async fn carry_all(&self, pipeline: &redis::Pipeline) -> Result<(), RedisError> {
        match self {
            Self::Server(manager) => pipeline.exec_async(&mut manager.clone()).await,
            Self::Cluster(connection) => pipeline.exec_async(&mut connection.clone()).await,
            Self::Sentinel(watched) => {
                let mut connection = watched.connection().await?;
                let done = pipeline.exec_async(&mut connection).await;
                watched.judge(done).await
            }
        }
    }
}

impl Watched {
    async fn carry<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        self.judge(answer).await
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut state = self.state.lock().await;
        let (client, connection) = &mut *state;
        if let Some(connection) = connection {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout((!self.patient).then_some(ANSWER_MAX));
        let made = client.get_async_connection_with_config(&config).await?;
        *connection = Some(made.clone());
        Ok(made)
    }

    /// A connection that is lost, or leads to a server that is the primary no more, is not used again.
    async fn judge<T>(&self, answer: Result<T, RedisError>) -> Result<T, RedisError> {
        let is_over = |error: &RedisError| {
            error.is_unrecoverable_error()
                || error.is_io_error()
                || error.code() == Some("READONLY")
        };
        if answer.as_ref().is_err_and(is_over) {
            self.state.lock().await.1 = None;
        }
        answer
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Sentinel(_) => "Sentinel",
            Self::Cluster(_) => "Cluster",
        })
    }
}

/// An address, with what holds for every connection.
fn info(url: &Secret) -> Result<ConnectionInfo, RedisError> {
    let info = url.reveal().into_connection_info()?;
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_user_timeout(UNACKNOWLEDGED_MAX);
    // The answers are read as RESP2 has them, whatever an address asks for.
    let redis = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP2);
    Ok(info.set_tcp_settings(tcp).set_redis_settings(redis))
}

/// What an error of the client means for a call.
pub(super) fn failure(error: &RedisError) -> LedgerError {
    if error.is_timeout() {
        LedgerError::TimedOut(ANSWER_MAX)
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
    {
        LedgerError::Unreachable(error.to_string())
    } else if matches!(
        error.kind(),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType
    ) {
        LedgerError::Malformed("an answer of another form")
    } else {
        LedgerError::Refused(error.to_string())
    }
}
