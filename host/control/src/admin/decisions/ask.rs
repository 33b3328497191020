//! The same question to another policy: within its own fuel, past the breakers, and never acted on.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::kept;
use super::views::{ChoiceDto, RejectionDto};
use crate::admin::Admin;
use crate::admin::blocking;
use crate::admin::policies::extract::{Details, InPath, POLICY_NAME};
use crate::admin::policies::refusal::Refusal;
use crate::admin::policies::views::ParameterDto;
use crate::rollout::source::PolicyName;
use crate::rollout::{Rollout, RolloutError};
use wastegate_core::decision::guard;
use wastegate_core::types::RevisionId;
use wastegate_engine::policy::{Params, Policy, manifest};

/// Questions that are asked at once. The next one waits: a policy is called on a thread, and decisions
/// need the processors more.
const ASKED_AT_ONCE: usize = 1;

/// Policies that stay ready for the next question, as when a slider moves; the oldest goes.
const READY_MAX: usize = 8;

/// Which policy is ready: its name, the revision that the name means, its parameters.
type ReadyKey = (PolicyName, Option<RevisionId>, Params);

/// The turns of such questions, and the policies that were asked last.
#[derive(Debug)]
pub struct AskTurns {
    turns: Arc<Semaphore>,
    // Held to look a policy up, or to put one in.
    ready: Mutex<VecDeque<(ReadyKey, Arc<Policy>)>>,
}

impl Default for AskTurns {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(ASKED_AT_ONCE)),
            ready: Mutex::default(),
        }
    }
}

impl AskTurns {
    /// A policy that is ready to be asked. Blocks: compiles and checks one that was not asked lately.
    fn policy(
        &self,
        rollout: &Rollout,
        name: PolicyName,
        params: Params,
    ) -> Result<Arc<Policy>, RolloutError> {
        let meant = rollout.meant(&name);
        let key = (name, meant, params);
        let known = {
            let ready = self.ready.lock();
            let mut known = ready.iter().filter(|(of, _)| *of == key);
            known.next().map(|(_, policy)| policy.clone())
        };
        if let Some(policy) = known {
            return Ok(policy);
        }
        let policy = rollout.arm(&key.0, &key.2)?;
        let mut ready = self.ready.lock();
        ready.push_back((key, policy.clone()));
        if ready.len() > READY_MAX {
            ready.pop_front();
        }
        Ok(policy)
    }
}

/// Which policy is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "policy": "hyperbolic", "params": { "cost-weight": 0.2 } }))]
pub(super) struct AskRequest {
    /// Its name.
    #[schemars(length(min = 1, max = manifest::NAME_BYTES_MAX), regex(pattern = POLICY_NAME))]
    policy: String,
    /// Parameters that it gets instead of those it has here.
    #[serde(default)]
    params: Params,
}

/// What it would have ranked.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AskAnswer {
    /// The policy with its version.
    policy: String,
    /// Its parameters, with the values of this call.
    parameters: Vec<ParameterDto>,
    /// Its proposal, best victim first.
    ranking: Vec<ChoiceDto>,
    /// The rows that would have gone, in their order.
    plan: Vec<u32>,
    /// The choices that the guard would have rejected.
    rejections: Vec<RejectionDto>,
    /// What the call used.
    fuel: Option<u64>,
    /// Why it gave no usable ranking, in a sentence; null if it did.
    fault: Option<String>,
}

pub(super) async fn ask(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    Details(request): Details<AskRequest>,
) -> Result<Json<AskAnswer>, Refusal> {
    let decided = kept(&admin, &id)?;
    let name = PolicyName::new(&request.policy);
    let name = name.map_err(|error| Refusal::request(error.to_string()))?;
    let turn = admin.asking.turns.clone().acquire_owned().await;
    // Closed never: it is dropped with the API.
    let turn = turn.map_err(|_| Refusal::interrupted())?;
    let asked = admin.clone();
    let answer = blocking(move || {
        // Kept until the work is done, also if its client does not wait for it.
        let _turn = turn;
        let policy = asked.asking.policy(&asked.rollout, name, request.params)?;
        let question = &decided.question;
        let (answer, _) = policy.answer(None, question);
        let table = asked.cleaner.table();
        let plan = if decided.plan.is_last() {
            guard::last_plan(question, table, &answer)
        } else {
            guard::plan(question, table, &answer)
        };
        Ok::<_, RolloutError>(AskAnswer {
            policy: answer.policy.to_string(),
            parameters: ParameterDto::all(&policy),
            ranking: ChoiceDto::all(&answer),
            plan: plan.victims().iter().map(|victim| victim.row).collect(),
            rejections: RejectionDto::all(plan.refusals()),
            fuel: answer.fuel,
            fault: answer.outcome.as_ref().err().map(ToString::to_string),
        })
    });
    answer.await.map(Json)
}
