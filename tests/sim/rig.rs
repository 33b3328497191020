//! The gateway under test, put together as the composition root does it, without HTTP and sockets.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Bytes;
use wastegate::admission::{Admission, Admitted, Denied};
use wastegate::cleanup::{Cleaner, CleanerParts, PressureBook};
use wastegate::connection::{self, ConnectionContext, RelayedUpstream, Transport};
use wastegate::gateway::{close, notice};
use wastegate::manager::{Port, Surroundings};
use wastegate::observe::activity::ActivitySink;
use wastegate::observe::alerts::PressureThresholds;
use wastegate::registry::{Permit, Registry};
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_core::types::{Clock, CloseReason, ConnectionRefs, DeviceId, ManagerKey, UserId};

use crate::application::Troubled;
use crate::mind::Watched;
use crate::pipe::End;
use crate::recorder::Recorder;
use crate::scenario::{Chatter, Scenario};
use crate::seen::{Answer, Answered, Seen};
use crate::truth::Peer;
use crate::world::World;

/// What is sent to everybody all the time, in a scenario that has it.
pub(crate) const CHATTER_BYTES: usize = 1_024;
/// Between two of those.
pub(crate) const CHATTER_PAUSE: Duration = Duration::from_millis(150);

/// Everything that runs.
pub(crate) struct Rig {
    pub(crate) world: Arc<World>,
    pub(crate) scenario: Scenario,
    pub(crate) registry: Arc<Registry>,
    pub(crate) admission: Arc<Admission>,
    /// The gateway's tasks.
    pub(crate) tasks: Tasks,
    /// The workload's tasks.
    pub(crate) crew: Tasks,
    recorder: Arc<Recorder>,
    session: Arc<ConnectionContext>,
}

impl Rig {
    /// Builds the gateway of a scenario and starts its background work.
    pub(crate) fn start(scenario: Scenario) -> Arc<Self> {
        Self::recorded(scenario, Clock::system(), ActivitySink::disabled())
    }

    /// The same by a clock of its own, with what happens written down.
    pub(crate) fn recorded(scenario: Scenario, clock: Clock, activity: ActivitySink) -> Arc<Self> {
        let world = World::new(clock.clone(), &scenario);
        let (tasks, mut rng) = (Tasks::new(), scenario.rng.clone());
        let application = Troubled {
            world: world.clone(),
        };
        let surroundings = Surroundings::new(
            clock.clone(),
            scenario.manager.clone(),
            application.into(),
            activity,
        );
        let (limits, health) = (scenario.limits.clone(), scenario.health.clone());
        let registry = Registry::new(limits, health.clone(), surroundings, tasks.clone());
        world.watch(&registry);
        let ranker = scenario.mind.ranker(&clock, rng.fork());
        let (ranker, looks) = Watched::new(world.clone(), ranker);
        let recorder = Arc::new(Recorder {
            world: world.clone(),
            looks,
            lives: Default::default(),
        });
        let cleaner = Cleaner::new(CleanerParts {
            registry: registry.clone(),
            ranker: Arc::new(ranker),
            recorder: recorder.clone(),
            clock: clock.clone(),
            config: scenario.cleanup.clone(),
            health: health.clone(),
            tasks: tasks.clone(),
            supervisor: Supervisor::default(),
            pressure: PressureBook::new(PressureThresholds::default()),
            seed: scenario.seed,
            cluster: None,
        });
        cleaner.start();
        let config = scenario.admission.clone();
        let admission = Admission::new(registry.clone(), cleaner, clock.clone(), config);
        let session = Arc::new(ConnectionContext {
            config: scenario.connection.clone(),
            health,
            clock: clock.clone(),
            close_code: close::code,
            refs: ConnectionRefs::new(scenario.seed),
            notice: notice::farewell,
            faults: Arc::default(),
            traffic: Arc::default(),
            listeners: connection::EchoListeners::default(),
            budgets: connection::Budgets::new(connection::BudgetConfig::default(), clock.clone()),
        });
        Arc::new(Self {
            world,
            scenario,
            registry,
            admission,
            tasks,
            crew: Tasks::new(),
            recorder,
            session,
        })
    }

    /// Asks to be let in, and waits in the queue if that is the answer.
    ///
    /// # Errors
    /// How long to wait before the next attempt, if it is refused.
    pub(crate) async fn enter(&self, user: &UserId, key: &ManagerKey) -> Result<Permit, Duration> {
        let mut knock = Knock::new(self, user, key);
        let _knocking = self.world.knocks(user);
        let ticket = match self.admission.admit(user, key).await {
            Ok(Admitted::Now(permit)) => return Ok(knock.admitted(permit)),
            Ok(Admitted::Queued(ticket)) => ticket,
            Err(denied) => return Err(knock.refused(&denied)),
        };
        knock.answer(Answer::Queued, None);
        knock.queued = true;
        knock.since = self.world.clock.now();
        knock.places = Some(ticket.positions());
        match self.admission.wait(ticket, user, key).await {
            Ok(permit) => Ok(knock.admitted(permit)),
            Err(denied) => Err(knock.refused(&denied)),
        }
    }

    /// Attaches a connection and runs its gateway's side. False if it may not stay.
    pub(crate) fn attach(
        &self,
        permit: Permit,
        device: DeviceId,
        notices: bool,
        end: End,
        peer: &Arc<Peer>,
    ) -> bool {
        let bytes_max = self.session.config.outbox_bytes_max;
        let now = self.world.clock.now();
        let port = Port::new(device, bytes_max, notices, Weak::new(), now);
        let Ok(attachment) = permit.attach(port.clone()) else {
            self.world.sample();
            return false;
        };
        let (world, session, link) = (self.world.clone(), self.session.clone(), peer.link);
        let life = attachment.manager().id;
        world.truths.attach(life, peer);
        world.see(&Seen::Opened { link });
        let far = (self.scenario.chatter == Some(Chatter::Backend)).then(|| self.backend());
        self.tasks.spawn("connection", async move {
            let transport = Transport::Other(Box::new(end));
            let report = match far {
                None => connection::run(session, transport, Bytes::new(), attachment).await,
                Some(far) => {
                    let client = (transport, Bytes::new());
                    connection::relay(session, client, far, attachment).await
                }
            };
            world.truths.detach(life, link);
            let (stands, code) = (port.end(), close::code(report.reason).0);
            world.see(&Seen::Ended {
                link,
                report,
                stands,
                code,
            });
            world.sample();
        });
        true
    }

    /// A backend that sends all the time, and drops what it is sent.
    fn backend(&self) -> RelayedUpstream {
        let (near, far) = tokio::io::duplex(64 * 1_024);
        let stopping = self.crew.stopping();
        self.crew.spawn("backend", async move {
            let (mut reads, mut writes) = tokio::io::split(far);
            let length = u16::try_from(CHATTER_BYTES).unwrap_or(u16::MAX);
            let mut frame = vec![0x81, 126];
            frame.extend(length.to_be_bytes());
            frame.resize(4 + usize::from(length), b'x');
            let talking = async {
                while writes.write_all(&frame).await.is_ok() {
                    tokio::time::sleep(CHATTER_PAUSE).await;
                }
            };
            let hearing = async {
                let mut some = [0; 1_024];
                while reads.read(&mut some).await.is_ok_and(|read| read > 0) {}
            };
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = hearing => {}
                () = talking => {}
            }
        });
        RelayedUpstream {
            transport: Transport::Other(Box::new(near)),
            leftover: Bytes::new(),
            compresses: false,
            keeper: None,
        }
    }

    /// Stops the gateway as its composition root does. True if everything ended in time.
    pub(crate) async fn stop(&self, within: Duration) -> bool {
        self.tasks.stop();
        self.registry.close_some(CloseReason::Shutdown, usize::MAX);
        self.tasks.wait(within).await
    }
}

/// One client's wish to come in, answered or given up exactly once.
struct Knock<'a> {
    rig: &'a Rig,
    user: &'a UserId,
    number: u64,
    since: wastegate_core::types::Timestamp,
    queued: bool,
    places: Option<watch::Receiver<usize>>,
    answered: bool,
}

impl<'a> Knock<'a> {
    fn new(rig: &'a Rig, user: &'a UserId, key: &ManagerKey) -> Self {
        let number = rig.world.number();
        rig.world.see(&Seen::Knocked {
            knock: number,
            user: user.as_str().to_owned(),
            key: key.as_str().to_owned(),
        });
        Self {
            rig,
            user,
            number,
            since: rig.world.clock.now(),
            queued: false,
            places: None,
            answered: false,
        }
    }

    fn answer(&self, answer: Answer, around: Option<&UserId>) {
        let world = &self.rig.world;
        let now = world.clock.now();
        let place = self.places.as_ref().map(|places| *places.borrow());
        let ahead = place.unwrap_or(1).saturating_sub(1);
        let refused = matches!(answer, Answer::Refused { .. });
        world.see(&Seen::Answered(Answered {
            knock: self.number,
            user: self.user.as_str().to_owned(),
            took: now.since(self.since),
            queued: self.queued,
            ahead,
            answer,
            around: if refused {
                world.around(around, now)
            } else {
                Vec::new()
            },
        }));
        world.sample();
    }

    fn admitted(&mut self, permit: Permit) -> Permit {
        if let Some(manager) = permit.manager() {
            self.rig.recorder.know(manager);
        }
        self.answered = true;
        self.answer(Answer::In, None);
        permit
    }

    fn refused(&mut self, denied: &Denied) -> Duration {
        let why = denied.why.name();
        self.answered = true;
        let answer = Answer::Refused {
            why,
            code: close::refusal(denied.why).0,
            retry_after: denied.retry_after,
            held: denied.held,
            limit: denied.limit,
        };
        self.answer(answer, (why != "node-limit").then_some(self.user));
        denied.retry_after
    }
}

impl Drop for Knock<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.rig.world.see(&Seen::GaveUp { knock: self.number });
        }
    }
}
