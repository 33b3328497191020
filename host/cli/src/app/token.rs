//! Who may operate: the clients that have a token that is configured, kept with the state, or in a file.

use crate::config::ProgramConfig;
use wastegate_control::admin::roles::{self, NamedToken, Role, TokensError};
use wastegate_control::admin::{Access, NO_TOKEN, kept};
use wastegate_core::types::Secret;

use super::error::AppError;

/// What a configuration comes to. Makes the token where it is to be kept and is not there yet.
pub(super) fn of(config: &ProgramConfig) -> Result<Access, AppError> {
    let token = &config.admin_token;
    if token.reveal() == NO_TOKEN {
        return Ok(Access::everybody());
    }
    let mut tokens = listed(config)?;
    if !token.is_empty() {
        tokens.push(unnamed(token.clone()));
    } else if let Some(folder) = &config.rollout.state_dir {
        let kept = kept::read_or_make(folder).map_err(|source| AppError::AdminToken {
            path: kept::path(folder),
            source,
        })?;
        differs(config, &tokens, &kept)?;
        tokens.push(unnamed(kept));
    }
    if tokens.is_empty() {
        return Ok(Access::everybody());
    }
    Ok(Access::with(tokens, config.operators.metrics_without_token))
}

/// A token that may do everything and says nothing of who has it.
const fn unnamed(token: Secret) -> NamedToken {
    NamedToken {
        name: None,
        role: Role::Operate,
        token,
    }
}

/// The tokens of `admin.tokens_file`.
fn listed(config: &ProgramConfig) -> Result<Vec<NamedToken>, AppError> {
    let Some(path) = &config.operators.tokens_file else {
        return Ok(Vec::new());
    };
    let tokens = roles::read(path).map_err(|source| AppError::AdminTokens {
        path: path.clone(),
        source,
    })?;
    differs(config, &tokens, &config.admin_token)?;
    Ok(tokens)
}

/// Whether no listed token is the operators' own: it would have two roles.
fn differs(config: &ProgramConfig, tokens: &[NamedToken], own: &Secret) -> Result<(), AppError> {
    let mut same = tokens.iter().filter(|it| it.token.reveal() == own.reveal());
    let name = same.find_map(|token| token.name.clone());
    match (name, &config.operators.tokens_file) {
        (Some(name), Some(path)) => Err(AppError::AdminTokens {
            path: path.clone(),
            source: TokensError::Operators { name },
        }),
        _ => Ok(()),
    }
}

/// Whether the kept token and the file of tokens can be used, where there are some.
pub(super) fn check(config: &ProgramConfig) -> Result<(), AppError> {
    listed(config)?;
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
