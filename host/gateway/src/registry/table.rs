//! The table of slots: reserve and get-or-create in one step, release by identity.
//!
//! Sharded by user, so that one user's crowd never waits for another's. The node's total is held by
//! guards that live inside the slots: there is no way to remove a slot and forget to count it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::sync::{AtomicUsize, Mutex, lock};
use wastegate_core::types::{ManagerId, ManagerKey, UserId};

/// Enough that two cores rarely meet, few enough that walking all of them is nothing.
const SHARDS: usize = 64;

/// What can sit in a slot.
pub trait SlotEntry {
    /// Which life of the key it is.
    fn id(&self) -> ManagerId;
    /// One more connection is on its way to it. False if it has ended.
    fn join(&self) -> bool;
}

/// What a reservation came to.
#[derive(Debug)]
pub enum Reserved<E> {
    /// The key has a slot already; no new one was taken.
    Joined(Arc<E>),
    /// A slot was free and is taken now.
    Created(Arc<E>),
    /// The user holds as many as it may.
    UserFull {
        /// How many that is.
        held: u32,
    },
    /// The node holds as many as it may.
    NodeFull {
        /// How many that is.
        held: u32,
    },
}

/// All slots of the node, in shards by user.
#[derive(Debug)]
pub struct Table<E> {
    shards: Vec<Mutex<Users<E>>>,
    total: Arc<AtomicUsize>,
}

type Users<E> = HashMap<UserId, Slots<E>>;
type Slots<E> = BTreeMap<ManagerKey, Slot<E>>;

#[derive(Debug)]
struct Slot<E> {
    entry: Arc<E>,
    _place: Place,
}

/// One place of the node's total, given back when its slot goes.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(total: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        total
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| {
                (held < limit).then_some(held + 1)
            })
            .ok()
            .map(|_| Self(total.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<E: SlotEntry> Default for Table<E> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect();
        Self {
            shards,
            total: Arc::new(AtomicUsize::new(0)),
        }
    }
}

impl<E: SlotEntry> Table<E> {
    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder of SHARDS is below SHARDS"
    )]
    fn shard(&self, user: &UserId) -> &Mutex<Users<E>> {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only the low bits are wanted"
        )]
        let hash = hasher.finish() as usize;
        &self.shards[hash % SHARDS]
    }

    /// Joins the key's entry, or takes a free slot for a new one. Either way the entry knows that
    /// a connection is on its way before anyone else can look at it. `make` runs under the shard's
    /// lock: it builds a value and does nothing else.
    pub fn reserve(
        &self,
        user: &UserId,
        key: &ManagerKey,
        user_limit: u32,
        node_limit: u32,
        make: impl FnOnce() -> Arc<E>,
    ) -> Reserved<E> {
        let mut users = lock(self.shard(user));
        let slots = users.get(user);
        if let Some(slot) = slots.and_then(|slots| slots.get(key))
            && slot.entry.join()
        {
            return Reserved::Joined(slot.entry.clone());
        }
        // An entry that has ended and was not removed yet gives its slot to its successor.
        let held = slots.map_or(0, |slots| {
            slots.len() - usize::from(slots.contains_key(key))
        });
        if held >= user_limit as usize {
            return Reserved::UserFull { held: count(held) };
        }
        let slots = users.entry(user.clone()).or_default();
        slots.remove(key);
        let Some(place) = Place::take(&self.total, node_limit as usize) else {
            if slots.is_empty() {
                users.remove(user);
            }
            return Reserved::NodeFull {
                held: count(self.total.load(Ordering::Acquire)),
            };
        };
        let entry = make();
        slots.insert(
            key.clone(),
            Slot {
                entry: entry.clone(),
                _place: place,
            },
        );
        Reserved::Created(entry)
    }

    /// Frees the slot of one life of a key if `still` holds, and hands its entry over. None if that
    /// life is gone already: releasing twice, or releasing another's, changes nothing.
    pub(crate) fn remove_if(
        &self,
        user: &UserId,
        key: &ManagerKey,
        id: ManagerId,
        still: impl FnOnce(&E) -> bool,
    ) -> Option<Arc<E>> {
        let mut users = lock(self.shard(user));
        let slots = users.get_mut(user)?;
        let slot = slots.get(key)?;
        if slot.entry.id() != id || !still(&slot.entry) {
            return None;
        }
        let slot = slots.remove(key);
        if slots.is_empty() {
            users.remove(user);
        }
        slot.map(|slot| slot.entry)
    }

    /// The entry of a key.
    #[must_use]
    pub fn get(&self, user: &UserId, key: &ManagerKey) -> Option<Arc<E>> {
        lock(self.shard(user))
            .get(user)?
            .get(key)
            .map(|slot| slot.entry.clone())
    }

    /// How many slots a user holds.
    #[must_use]
    pub fn held(&self, user: &UserId) -> u32 {
        lock(self.shard(user))
            .get(user)
            .map_or(0, |slots| count(slots.len()))
    }

    /// How many slots are held in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        count(self.total.load(Ordering::Acquire))
    }

    /// A user's entries, by key.
    #[must_use]
    pub fn of(&self, user: &UserId) -> Vec<Arc<E>> {
        let users = lock(self.shard(user));
        users
            .get(user)
            .into_iter()
            .flatten()
            .map(|(_, slot)| slot.entry.clone())
            .collect()
    }

    /// Every user with how many slots it holds. Shard by shard, so no admission waits for the whole walk.
    #[must_use]
    pub fn users(&self) -> Vec<(UserId, u32)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(
                lock(shard)
                    .iter()
                    .map(|(user, slots)| (user.clone(), count(slots.len()))),
            );
        }
        all
    }

    /// How many users hold a slot.
    #[must_use]
    pub fn users_held(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Every entry. Shard by shard.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<E>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let users = lock(shard);
            all.extend(
                users
                    .values()
                    .flat_map(BTreeMap::values)
                    .map(|slot| slot.entry.clone()),
            );
        }
        all
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
