//! The ledger in Redis from 7.0 on, or Valkey: one server, Sentinels, or a Redis Cluster.
//!
//! Each call is one step of `library.lua` on the keys of one user, of the nodes, or of one node's messages: three
//! kinds of keys, each kind's in one hash slot. Not here: deadlines of admissions, the breaker, and tasks.

mod answers;
mod library;
mod link;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};

use answers::{Fields, inbox};
use library::{LAYOUT, Library};
use link::{Link, failure};
use wastegate_core::types::time::whole_ms;

use crate::ledger::{
    Beat, BeatAnswer, BeatMode, EnterAnswer, EnterAsk, Epoch, Holdings, Inbox, KeyHash, Leases,
    LeaveAnswer, Ledger, LedgerCall, LedgerError, LendAnswer, LendAsk, Life, MessagesRead,
    NodeMessage, Publication, PublishAnswer, ReassertAnswer, ReassertAsk, Stamped, UserHash,
    UserLever, WAITING_MAX,
};

pub use library::StepForm;
pub use link::EngineAddress;

/// How many messages one look takes.
const MESSAGES_PER_LOOK: usize = 256;
/// How long messages for a node wait that reads none.
const MESSAGES_KEPT: Duration = Duration::from_secs(60);

/// How a ledger in Redis is reached and kept.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where the engine is.
    pub address: EngineAddress,
    /// What all keys begin with; another one for each cluster that shares an engine.
    pub prefix: String,
    /// How long parts are kept.
    pub leases: Leases,
    /// How steps are called.
    pub form: StepForm,
}

/// A ledger in Redis or Valkey.
#[derive(Debug)]
pub struct RedisLedger {
    calls: Link,
    /// Calls that wait at the engine have a connection of their own: the others would wait behind them.
    inbox: Link,
    /// So have files, which are large.
    files: Link,
    library: Library,
    prefix: String,
    leases: Leases,
}

impl RedisLedger {
    /// A ledger that connects at its first call.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for an address that is none.
    pub fn new(settings: &RedisSettings) -> Result<Arc<Self>, LedgerError> {
        Self::with_clock(settings, None)
    }

    /// The same by another clock: the body of a Lua function that returns milliseconds. For tests that move time.
    ///
    /// # Errors
    /// As [`RedisLedger::new`].
    #[doc(hidden)]
    pub fn with_clock(
        settings: &RedisSettings,
        clock: Option<&str>,
    ) -> Result<Arc<Self>, LedgerError> {
        let link = |patient| {
            Link::new(&settings.address, patient)
                .map_err(|error| LedgerError::Refused(error.to_string()))
        };
        Ok(Arc::new(Self {
            calls: link(false)?,
            inbox: link(true)?,
            files: link(false)?,
            library: Library::new(settings.form, clock),
            prefix: format!("{}{LAYOUT}", settings.prefix),
            leases: settings.leases,
        }))
    }

    /// Whether the engine has the ledger's functions; if not, it gets them as scripts. Known after the first call.
    #[must_use]
    pub fn has_functions(&self) -> bool {
        self.library.has_functions()
    }

    fn user_keys(&self, user: UserHash) -> [String; 2] {
        let prefix = &self.prefix;
        [
            format!("{prefix}:{{{user}}}m"),
            format!("{prefix}:{{{user}}}s"),
        ]
    }

    fn stream_keys(&self, epoch: Epoch) -> [String; 2] {
        let prefix = &self.prefix;
        [
            format!("{prefix}:{{{epoch}}}c"),
            format!("{prefix}:{{{epoch}}}a"),
        ]
    }

    async fn step<T>(
        &self,
        step: &str,
        keys: &[String],
        args: Args,
        read: impl FnOnce(&mut Fields) -> Result<T, LedgerError>,
    ) -> Result<Stamped<T>, LedgerError> {
        let answer = self.library.call(&self.calls, step, keys, &args.0).await;
        let mut fields = Fields::of(answer.map_err(|error| failure(&error))?)?;
        let now_ms = fields.number()?;
        Ok(Stamped {
            now_ms,
            answer: read(&mut fields)?,
        })
    }
}

/// What a step is given.
#[derive(Default)]
struct Args(Vec<Vec<u8>>);

impl Args {
    fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(bytes.as_ref().to_vec());
        self
    }

    fn number(self, number: impl Into<u64>) -> Self {
        let number: u64 = number.into();
        self.bytes(number.to_string())
    }

    fn ms(self, duration: Duration) -> Self {
        self.number(whole_ms(duration))
    }

    fn epochs(self, epochs: &[Epoch]) -> Self {
        let bytes: Vec<u8> = epochs.iter().flat_map(|epoch| *epoch.as_bytes()).collect();
        self.bytes(bytes)
    }

    fn publications(self, parts: &[Publication]) -> Self {
        parts.iter().fold(self, |args, part| {
            args.bytes(part.key.as_bytes())
                .number(part.manager.raw())
                .number(part.state.code())
                .bytes(part.columns.as_bytes())
        })
    }
}

/// A victim's parts, as `library.lua` compares them.
fn lives(lives: &[Life]) -> Vec<u8> {
    let life = |life: &Life| {
        let manager = life.manager.raw().to_be_bytes().into_iter().skip(2);
        life.epoch
            .as_bytes()
            .iter()
            .copied()
            .chain(manager)
            .collect::<Vec<u8>>()
    };
    lives.iter().flat_map(life).collect()
}

impl Ledger for RedisLedger {
    fn enter<'a>(&'a self, user: UserHash, ask: &'a EnterAsk) -> LedgerCall<'a, EnterAnswer> {
        let args = Args::default()
            .bytes(ask.key.as_bytes())
            .bytes(ask.life.epoch.as_bytes())
            .number(ask.life.manager.raw())
            .number(ask.limit)
            .number(ask.not_after_ms)
            .ms(self.leases.provisional)
            .ms(self.leases.full)
            .epochs(&ask.dead);
        let args = ask.victims.iter().fold(args, |args, victim| {
            args.bytes(victim.key.as_bytes())
                .bytes(lives(&victim.lives))
        });
        Box::pin(async move {
            let keys = self.user_keys(user);
            self.step("enter", &keys, args, Fields::entered).await
        })
    }

    fn leave(&self, user: UserHash, key: KeyHash, life: Life) -> LedgerCall<'_, LeaveAnswer> {
        let args = Args::default()
            .bytes(key.as_bytes())
            .bytes(life.epoch.as_bytes())
            .number(life.manager.raw());
        Box::pin(async move {
            let [members, _] = self.user_keys(user);
            self.step("leave", &[members], args, Fields::left).await
        })
    }

    fn publish<'a>(
        &'a self,
        user: UserHash,
        epoch: Epoch,
        parts: &'a [Publication],
    ) -> LedgerCall<'a, PublishAnswer> {
        let args = Args::default()
            .bytes(epoch.as_bytes())
            .ms(self.leases.full)
            .ms(self.leases.full)
            .publications(parts);
        Box::pin(async move {
            let [members, _] = self.user_keys(user);
            self.step("publish", &[members], args, Fields::published)
                .await
        })
    }

    fn reassert<'a>(
        &'a self,
        user: UserHash,
        ask: &'a ReassertAsk,
    ) -> LedgerCall<'a, ReassertAnswer> {
        let args = Args::default()
            .bytes(ask.epoch.as_bytes())
            .number(ask.limit)
            .number(ask.not_after_ms)
            .ms(self.leases.provisional)
            .ms(self.leases.full)
            .epochs(&ask.dead)
            .publications(&ask.parts);
        Box::pin(async move {
            let keys = self.user_keys(user);
            self.step("reassert", &keys, args, Fields::reasserted).await
        })
    }

    fn read<'a>(
        &'a self,
        user: UserHash,
        limit: u32,
        dead: &'a [Epoch],
    ) -> LedgerCall<'a, Holdings> {
        let args = Args::default().number(limit).epochs(dead);
        Box::pin(async move {
            let keys = self.user_keys(user);
            self.step("read", &keys, args, Fields::holdings).await
        })
    }

    fn set_lever(
        &self,
        user: UserHash,
        lever: UserLever,
        lasting: Option<Duration>,
    ) -> LedgerCall<'_, ()> {
        let (field, value) = match lever {
            UserLever::Limit(limit) => ("limit", limit.map_or(String::new(), |it| it.to_string())),
            UserLever::Block(true) => ("block", "1".to_owned()),
            UserLever::Block(false) => ("block", String::new()),
        };
        // No end is 0, and one at once is 1 ms: it is over by the next call.
        let lasting_ms = lasting.map_or(0, |lasting| whole_ms(lasting).max(1));
        let args = Args::default().bytes(field).bytes(value).number(lasting_ms);
        Box::pin(async move {
            let [_, state] = self.user_keys(user);
            self.step("lever", &[state], args, |_| Ok(())).await
        })
    }

    fn lend<'a>(&'a self, user: UserHash, ask: &'a LendAsk) -> LedgerCall<'a, LendAnswer> {
        let args = Args::default()
            .number(ask.limit)
            .number(ask.slots)
            .ms(ask.lasting)
            .ms(ask.cool_down)
            .epochs(&ask.dead);
        Box::pin(async move {
            let keys = self.user_keys(user);
            self.step("lend", &keys, args, Fields::lent).await
        })
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> LedgerCall<'a, BeatAnswer> {
        let mode = match beat.mode {
            BeatMode::Start => "start",
            BeatMode::Live => "live",
            BeatMode::End => "end",
        };
        Box::pin(async move {
            let note = serde_json::to_vec(&beat.note)
                .map_err(|_| LedgerError::Malformed("a note that is no JSON"))?;
            let args = Args::default()
                .bytes(beat.name.as_str())
                .bytes(beat.epoch.as_bytes())
                .bytes(mode)
                .ms(beat.dead_after)
                .ms(self.leases.dead_kept())
                .bytes(note);
            let prefix = &self.prefix;
            let keys = [
                format!("{prefix}:{{nodes}}n"),
                format!("{prefix}:{{nodes}}d"),
            ];
            self.step("beat", &keys, args, Fields::beaten).await
        })
    }

    fn send<'a>(&'a self, to: Epoch, message: &'a NodeMessage) -> LedgerCall<'a, ()> {
        Box::pin(async move {
            let [commands, answers] = self.stream_keys(to);
            let key = match message {
                NodeMessage::Command(_) | NodeMessage::News(_) => commands,
                NodeMessage::Answer(_) => answers,
            };
            let text = serde_json::to_vec(message)
                .map_err(|_| LedgerError::Malformed("a message that is no JSON"))?;
            let mut both = redis::pipe();
            both.cmd("XADD")
                .arg(&key)
                .arg("MAXLEN")
                .arg(WAITING_MAX)
                .arg("*")
                .arg("m")
                .arg(text);
            both.cmd("PEXPIRE").arg(&key).arg(whole_ms(MESSAGES_KEPT));
            let sent = self.calls.carry_all(&both).await;
            sent.map_err(|error| failure(&error))?;
            Ok(Stamped {
                now_ms: 0,
                answer: (),
            })
        })
    }

    fn receive<'a>(
        &'a self,
        epoch: Epoch,
        read: &'a MessagesRead,
        wait: Duration,
    ) -> LedgerCall<'a, Inbox> {
        Box::pin(async move {
            let [commands, answers] = self.stream_keys(epoch);
            let mut look = Cmd::new();
            look.arg("XREAD").arg("COUNT").arg(MESSAGES_PER_LOOK);
            if !wait.is_zero() {
                look.arg("BLOCK").arg(whole_ms(wait));
            }
            look.arg("STREAMS")
                .arg(&commands)
                .arg(&answers)
                .arg(&read.command)
                .arg(&read.answer);
            let found: Value = self
                .inbox
                .carry(&look)
                .await
                .map_err(|error| failure(&error))?;
            Ok(Stamped {
                now_ms: 0,
                answer: inbox(found, &commands, read.clone())?,
            })
        })
    }
}
