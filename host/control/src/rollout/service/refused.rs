//! Files that sources brought and that were refused for what they are: brought again, under whatever
//! name and however often, they are refused without being loaded again.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use wastegate_engine::policy::LoadError;
use wastegate_engine::policy::load::Step;

/// Files that are remembered; the oldest is forgotten for the next one.
const REMEMBERED_MAX: usize = 256;

/// The refused, by digest, the oldest first, with the sentence.
#[derive(Debug, Default)]
pub(super) struct RefusedBefore(Mutex<VecDeque<(Arc<str>, String)>>);

impl RefusedBefore {
    /// Why a file was refused before, if it was.
    pub(super) fn why(&self, digest: &str) -> Option<String> {
        let known = self.0.lock();
        let found = known.iter().find(|(of, _)| **of == *digest);
        found.map(|(_, why)| why.clone())
    }

    /// Remembers a refusal, if it is for what the file is: what an operator has set, and whether the
    /// host was busy, may be otherwise the next time.
    pub(super) fn remember(&self, digest: Arc<str>, error: &LoadError, sentence: &str) {
        let for_what_it_is = error.step().is_some_and(|step| step <= Step::Manifest);
        if !for_what_it_is {
            return;
        }
        let mut known = self.0.lock();
        if known.iter().any(|(of, _)| *of == digest) {
            return;
        }
        if known.len() >= REMEMBERED_MAX {
            known.pop_front();
        }
        known.push_back((digest, sentence.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_refused_for_is_remembered_and_what_may_pass_is_not() {
        let refused = RefusedBefore::default();
        refused.remember("a".into(), &LoadError::NoWorld, "no world");
        assert_eq!(refused.why("a").as_deref(), Some("no world"));
        refused.remember("b".into(), &LoadError::Interrupted, "stopping");
        refused.remember("c".into(), &LoadError::LoadersBusy { max: 2 }, "busy");
        refused.remember("d".into(), &LoadError::Parameters(Vec::new()), "set");
        for passing in ["b", "c", "d"] {
            assert_eq!(refused.why(passing), None);
        }
        for number in 0..REMEMBERED_MAX {
            refused.remember(number.to_string().into(), &LoadError::NoWorld, "no world");
        }
        assert_eq!(refused.why("a"), None, "the oldest is forgotten");
        assert_eq!(refused.0.lock().len(), REMEMBERED_MAX);
    }
}
