//! Who may operate: whoever has the token that is configured, or the one that is kept with the state.

use crate::config::ProgramConfig;
use wastegate_control::admin::{Access, NO_TOKEN, kept};

use super::error::AppError;

/// What a configuration comes to. Makes the token where it is to be kept and is not there yet.
pub(super) fn of(config: &ProgramConfig) -> Result<Access, AppError> {
    let (token, open) = (&config.admin_token, config.operators.metrics_without_token);
    if token.reveal() == NO_TOKEN {
        return Ok(Access::everybody());
    }
    if !token.is_empty() {
        return Ok(Access::with(token.clone(), open));
    }
    let Some(folder) = &config.rollout.state_dir else {
        return Ok(Access::everybody());
    };
    let kept = kept::read_or_make(folder).map_err(|source| AppError::AdminToken {
        path: kept::path(folder),
        source,
    })?;
    Ok(Access::with(kept, open))
}

/// Whether the kept token can be used, if there is one.
pub(super) fn check(config: &ProgramConfig) -> Result<(), AppError> {
    match (&config.rollout.state_dir, config.admin_token.is_empty()) {
        (Some(folder), true) => kept::read(folder).map(drop).map_err(|source| {
            let path = kept::path(folder);
            AppError::AdminToken { path, source }
        }),
        _ => Ok(()),
    }
}

/// Says that everybody on this machine is an operator, where nobody decided that.
pub(super) fn report(access: &Access, decided: bool) {
    if access.is_open() && !decided {
        tracing::warn!(
            "everybody on this machine is an operator: set `admin.token`, or `policy.rollout.state_dir` so that one is made and kept there, or `admin.token = \"none\"` if that is as it should be"
        );
    }
}
