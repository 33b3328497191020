//! What a node does with levers of other nodes: they act here as if they were set here, and the audit log says from
//! where they came.

use std::sync::Arc;

use super::document::{Followed, LeverDocument};
use super::lever::{CommonLever, LeverName, LeverSetting};
use crate::levers::revocation::in_force;
use crate::levers::table::{LeverTable, LeverTerms};
use crate::levers::{Levers, RevocationTarget};
use crate::rollout::Actor;
use crate::rollout::audit::{Note, What};
use wastegate_core::types::UserId;

/// What a node has after it followed a document.
pub(super) struct Taken {
    /// What is set now.
    pub(super) table: Arc<LeverTable>,
    /// How many levers of others are not, because there are as many as there may be.
    pub(super) left_out: usize,
}

impl Levers {
    /// Has what is later in a document. Blocks on the disk.
    pub(super) fn take(&self, theirs: &LeverDocument) -> Taken {
        let changing = self.changing.lock();
        let now = self.unix_ms();
        let before = self.table.load_full();
        let Followed {
            table,
            news,
            left_out,
        } = before.following(&theirs.clone().at(now), now);
        if news.is_empty() {
            return Taken {
                table: before,
                left_out,
            };
        }
        let table = Arc::new(table);
        self.keep(&table);
        self.table.store(table.clone());
        let mut notes = Vec::new();
        let is_about_tokens =
            |(name, ..): &(LeverName, _, _)| matches!(name, LeverName::Revoked(_));
        let mut closed = match news.iter().any(is_about_tokens) {
            true => self.registry.set_revoked(in_force(table.revoked())),
            false => 0,
        };
        for (name, lever, was) in &news {
            let is_known = was.as_ref().is_some_and(CommonLever::is_set);
            if !lever.is_set() && !is_known {
                continue;
            }
            let did = self.act(name, lever, &mut closed);
            notes.push(note(name, lever, now, &did));
        }
        drop(changing);
        self.changed.notify_one();
        // After everything acts: each line waits for the disk.
        for (by, note) in notes {
            (*self.audit).as_ref().write(&by, note);
        }
        Taken { table, left_out }
    }

    /// Has it act here, and says what that did.
    fn act(&self, name: &LeverName, lever: &CommonLever, closed: &mut usize) -> String {
        match (name, lever.set) {
            (LeverName::Block(user), LeverSetting::Block) => {
                let evicted = self.registry.block(user, self.term(&lever.terms));
                format!("{evicted} managers evicted, blocked")
            }
            (LeverName::Block(user), _) => {
                self.registry.unblock(user);
                String::new()
            }
            (LeverName::Limit(user), LeverSetting::Limit { managers }) => {
                self.registry.override_limit(user, Some(managers));
                format!("{managers} managers")
            }
            (LeverName::Limit(user), _) => {
                self.registry.override_limit(user, None);
                String::new()
            }
            // Revocations act all at once; the first line has the count.
            (LeverName::Revoked(target), LeverSetting::Revoked { .. }) => {
                let closed = std::mem::take(closed);
                format!("{target}, {closed} connections closed")
            }
            (LeverName::Revoked(target), _) => target.to_string(),
        }
    }
}

/// The line of the audit log, and whose it is.
fn note(name: &LeverName, lever: &CommonLever, now: u64, did: &str) -> (Actor, Note) {
    let LeverTerms {
        by,
        reason,
        until_unix_ms,
        node,
        ..
    } = &lever.terms;
    let is_over = !lever.is_set() && lever.terms.is_over(now);
    let what = match (name, lever.is_set(), is_over) {
        (LeverName::Block(_), true, _) => What::UserBlocked,
        (LeverName::Block(_), false, false) => What::UserUnblocked,
        (LeverName::Block(_), false, true) => What::BlockExpired,
        (LeverName::Limit(_), true, _) => What::LimitSet,
        (LeverName::Limit(_), false, false) => What::LimitCleared,
        (LeverName::Limit(_), false, true) => What::LimitExpired,
        (LeverName::Revoked(_), true, _) => What::TokensRevoked,
        (LeverName::Revoked(_), false, false) => What::TokensAllowed,
        (LeverName::Revoked(_), false, true) => What::RevocationExpired,
    };
    let node = node.as_deref().unwrap_or_default();
    let (actor, why) = match is_over {
        true => (
            Actor::expiry(),
            format!("its time is over; {by} set it on {node}: {reason}"),
        ),
        false => (Actor::cluster(node, by.as_str()), reason.clone()),
    };
    let left = until_unix_ms.filter(|_| lever.is_set());
    let span = left.map_or_else(String::new, |until| {
        format!(" for {} s", until.saturating_sub(now).div_ceil(1_000))
    });
    let text = match did {
        "" => why,
        did => format!("{did}{span}: {why}"),
    };
    let note = Note::new(what, text);
    let note = match about(name) {
        Some(user) => note.about(user),
        None => note,
    };
    (actor, note)
}

const fn about(name: &LeverName) -> Option<&UserId> {
    match name {
        LeverName::Block(user)
        | LeverName::Limit(user)
        | LeverName::Revoked(RevocationTarget::User(user)) => Some(user),
        LeverName::Revoked(RevocationTarget::Token(_) | RevocationTarget::All) => None,
    }
}
