//! The same question to another policy: within its own fuel, past the breakers, and never acted on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::kept;
use super::views::{ChoiceDto, RejectionDto, named};
use crate::admin::Admin;
use crate::admin::blocking;
use crate::admin::policies::extract::{Details, InPath};
use crate::admin::policies::refusal::Refusal;
use crate::admin::policies::views::ParameterDto;
use crate::rollout::RolloutError;
use crate::rollout::source::PolicyName;
use wastegate_core::decision::guard;
use wastegate_engine::policy::Params;

/// Questions that are asked at once. The next one waits: a policy is called on a thread, and decisions
/// need the processors more.
const ASKED_AT_ONCE: usize = 1;

/// The turns of such questions.
#[derive(Debug)]
pub struct AskTurns(Semaphore);

impl Default for AskTurns {
    fn default() -> Self {
        Self(Semaphore::new(ASKED_AT_ONCE))
    }
}

/// Which policy is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskRequest {
    /// Its name.
    policy: String,
    /// Parameters that it gets instead of those it has here.
    #[serde(default)]
    params: Params,
}

/// What it would have ranked.
#[derive(Debug, Serialize)]
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
    // Closed never: it is dropped with the API.
    let _turn = admin.asking.0.acquire().await;
    let asked = admin.clone();
    let answer = blocking(move || {
        let policy = asked.rollout.arm(&name, &request.params)?;
        let question = &decided.question;
        let (answer, _) = policy.answer(None, question);
        let table = asked.cleaner.table();
        let plan = if decided.plan.is_last() {
            guard::last_plan(question, table, &answer)
        } else {
            guard::plan(question, table, &answer)
        };
        Ok::<_, RolloutError>(AskAnswer {
            policy: named(&answer.policy),
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
