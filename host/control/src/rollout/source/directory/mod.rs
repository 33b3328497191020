//! A directory that is watched: `NAME.wasm`, with `NAME.wasm.minisig` beside it, is policy `NAME`.
//!
//! A reconciler: every `policy.directory.rescan_ms` it looks, and a wake-up means no more than
//! "look now". It acts on digests. A file is read once, up to the size cap, after two looks in a
//! row saw it unchanged; what was read is handed over as bytes, and nobody opens the file again.
//! The same bytes are not handed over twice in a row, so touching a file does nothing. A file that
//! vanishes does nothing either: what is active stays. What is refused is told once.
//!
//! `plan` decides, `disk` looks. Not here: whether a policy is any good, and whether it is put in
//! charge; a [`Receive`] is handed what was found and says what became of it.

mod disk;
mod plan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::file::{self, Contents, Unread};
use super::{Fetched, PolicyName, PolicyOrigin, Receive, Received};
use plan::{Identity, Memory};
use wastegate_core::types::chain;
use wastegate_files as files;

/// The most policies that are looked at.
pub const FILES_MAX: usize = 256;
/// The most entries of any kind that are listed.
const ENTRIES_MAX: usize = 4 * FILES_MAX;
/// Looks after which everything is read again, whatever the system says of it: a file system may
/// tell less than it should.
const LOOKS_PER_DOUBT: u32 = 60;
/// Looks for which a file is left alone that could not be dealt with, such as for a full disk.
const LOOKS_OF_REST: u32 = 5;
/// How long a look at the disk may take before it is told that it hangs.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);

/// What the operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The directory. None: none is watched.
    pub path: Option<PathBuf>,
    /// Between two looks. Default 1 s.
    pub rescan: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: None,
            rescan: Duration::from_secs(1),
        }
    }
}

/// What became of the file of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOutcome {
    /// SHA-256 of the file, in hex.
    pub digest: Arc<str>,
    /// Whether it was taken, and why not.
    pub received: Received,
}

/// Reads the watched directory and submits what is new in it.
pub struct Watcher {
    directory: PathBuf,
    rescan: Duration,
    bytes_max: u64,
    receiver: Arc<dyn Receive>,
    wake: Notify,
    /// Between two looks; a look takes it out and puts it back, so that no lock is held meanwhile.
    state: Mutex<State>,
    /// For the API: a lock, because requests read it while a scan runs.
    outcomes: Mutex<BTreeMap<PolicyName, FileOutcome>>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    looks: u32,
    /// Why the directory could not be listed, as it was told last.
    unlisted: Option<String>,
}

/// The file of one policy, read now and whole: for the start, before the first scan.
/// None if there is no such file. Blocks.
///
/// # Errors
/// [`Unread`] with what to mend.
pub fn find(
    directory: &Path,
    name: &PolicyName,
    bytes_max: u64,
) -> Result<Option<Fetched>, Unread> {
    let path = path(directory, name);
    match files::check_shared(directory).map_err(|error| Unread::io(directory, error)) {
        Ok(()) => {}
        Err(Unread::Absent { .. }) => return Ok(None),
        Err(other) => return Err(other),
    }
    match file::read_beneath(directory, &path, bytes_max) {
        Ok(contents) => Ok(Some(fetched(name, path, contents))),
        Err(Unread::Absent { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn path(directory: &Path, name: &PolicyName) -> PathBuf {
    directory.join(format!("{name}{}", disk::SUFFIX))
}

fn fetched(name: &PolicyName, path: PathBuf, contents: Contents) -> Fetched {
    Fetched {
        name: name.clone(),
        bytes: contents.bytes,
        signature: contents.signature,
        origin: PolicyOrigin::Directory(path),
    }
}

impl Watcher {
    /// Watches nothing before [`Watcher::run`]. None if no directory is configured.
    #[must_use]
    pub fn new(config: &Config, bytes_max: u64, receiver: Arc<dyn Receive>) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            directory: config.path.clone()?,
            rescan: config.rescan,
            bytes_max,
            receiver,
            wake: Notify::new(),
            state: Mutex::default(),
            outcomes: Mutex::default(),
        }))
    }

    /// Asks for a look now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// What became of each policy's file, the last one of each name.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<PolicyName, FileOutcome> {
        self.outcomes.lock().clone()
    }

    /// Looks, for ever.
    pub async fn run(&self) {
        loop {
            self.look().await;
            // A wake-up or the interval; both say the same.
            let _ = tokio::time::timeout(self.rescan, self.wake.notified()).await;
        }
    }

    async fn look(&self) {
        let mut state = std::mem::take(&mut *self.state.lock());
        self.look_with(&mut state).await;
        *self.state.lock() = state;
    }

    async fn look_with(&self, state: &mut State) {
        state.looks = state.looks.wrapping_add(1);
        if state.looks.is_multiple_of(LOOKS_PER_DOUBT) {
            state.memory.doubt();
        }
        let directory = self.directory.clone();
        let listing = match self.on_disk(move || disk::list(&directory)).await {
            Some(Ok(listing)) => listing,
            Some(Err(error)) => return self.unlisted(state, &error.to_string()),
            None => return,
        };
        if state.unlisted.take().is_some() {
            tracing::info!(directory = %self.directory.display(), "policy directory can be read again");
        }
        let todo = state.memory.look(&listing);
        for odd in todo.tell {
            tracing::warn!(directory = %self.directory.display(), found = odd, "policy directory");
        }
        for name in todo.read {
            self.deal(&mut state.memory, &name, &listing).await;
        }
    }

    /// Reads a file and hands it over, if there is anything new in it.
    async fn deal(&self, memory: &mut Memory, name: &PolicyName, listing: &plan::Listing) {
        let path = path(&self.directory, name);
        let (at, bytes_max) = (path.clone(), self.bytes_max);
        let directory = self.directory.clone();
        let read = move || file::read_beneath(&directory, &at, bytes_max);
        let Some(read) = self.on_disk(read).await else {
            return;
        };
        let seen = listing.files.get(name);
        let contents = match read {
            Ok(contents) => contents,
            // The next look sees that it is gone.
            Err(Unread::Absent { .. }) => return,
            Err(error) => {
                self.troubled(memory, name, &chain(&error));
                if let (Unread::TooLarge { .. } | Unread::LeadsOut { .. }, Some(stamps)) =
                    (&error, seen)
                {
                    memory.settle(name, *stamps, None);
                }
                return;
            }
        };
        if seen != Some(&contents.stamps) {
            // Written meanwhile: the next look sees that.
            return;
        }
        let (stamps, identity) = (contents.stamps, Identity::of(&contents));
        let Some(sighting) = memory.sighting(name, &identity) else {
            memory.settle(name, stamps, Some(identity));
            return;
        };
        let digest = identity.digest.clone();
        let fetched = fetched(name, path, contents);
        let received = self.receiver.receive(fetched, sighting).await;
        match &received {
            Received::Taken => {
                tracing::info!(policy = %name, digest = &*digest, "policy taken from the directory");
                memory.settle(name, stamps, Some(identity));
            }
            Received::Refused(reason) => {
                tracing::warn!(policy = %name, digest = &*digest, reason, "policy from the directory refused");
                memory.settle(name, stamps, Some(identity));
            }
            Received::Later(reason) => {
                self.troubled(memory, name, reason);
                memory.postpone(name, LOOKS_OF_REST);
            }
        }
        let outcome = FileOutcome { digest, received };
        let mut outcomes = self.outcomes.lock();
        outcomes.insert(name.clone(), outcome);
        if outcomes.len() > 2 * FILES_MAX {
            outcomes.retain(|name, _| listing.files.contains_key(name));
        }
    }

    fn troubled(&self, memory: &mut Memory, name: &PolicyName, reason: &str) {
        if memory.troubles(name, reason) {
            tracing::warn!(policy = %name, reason, "policy in the directory is not taken yet");
        }
    }

    fn unlisted(&self, state: &mut State, reason: &str) {
        if state.unlisted.as_deref() != Some(reason) {
            let directory = self.directory.display();
            tracing::warn!(
                %directory,
                reason,
                "policy directory (`policy.directory.path`) cannot be listed; the active policy stays"
            );
            state.unlisted = Some(reason.to_owned());
        }
    }

    /// Runs blocking work on a thread for it. A disk that hangs is told and waited for: a
    /// second look at it would hang as well. None if the process is going down.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let mut working = tokio::task::spawn_blocking(work);
        loop {
            match tokio::time::timeout(LOOK_PATIENCE, &mut working).await {
                Ok(done) => return done.ok(),
                Err(_) => {
                    let directory = self.directory.display();
                    tracing::warn!(%directory, "policy directory hangs; the active policy stays");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
