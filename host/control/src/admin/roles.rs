//! Several tokens, each with a name and a role, from a file: `NAME ROLE TOKEN` a line.
//!
//! A user who can read the file is what its tokens allow, so only its owner may read it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::kept::{self, TOKEN_BYTES_MIN};
use wastegate_core::types::Secret;

/// Tokens of a file at the most.
pub const TOKENS_MAX: usize = 64;
/// Bytes of a name at the most.
const NAME_BYTES_MAX: usize = 64;
/// How much of the file is read, bytes.
const FILE_BYTES_MAX: u64 = 64 * 1_024;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To look, and to ask what another policy would rank. Changes nothing.
    Read,
    /// Everything.
    Operate,
}

impl Role {
    /// Its name in the file and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Operate]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One token.
#[derive(Debug, Clone)]
pub struct NamedToken {
    /// Who has it, for the audit log; none for `admin.token` and the token that is kept with the state.
    pub name: Option<Arc<str>>,
    /// What it allows.
    pub role: Role,
    /// The token.
    pub token: Secret,
}

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum TokensError {
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("line {line} has no three words: write `NAME ROLE TOKEN`, such as `grafana read …`")]
    Words { line: usize },
    #[error(
        "line {line}: the name is no name: give 1 to {NAME_BYTES_MAX} of letters, digits, `-` and `_`"
    )]
    Name { line: usize },
    #[error("line {line}: `{role}` is no role: write `read` or `operate`")]
    Role { line: usize, role: String },
    #[error(
        "line {line}: the token has fewer than {TOKEN_BYTES_MIN} bytes, which can be guessed: `openssl rand -hex 32` makes one"
    )]
    Short { line: usize },
    #[error("line {line}: the token has a character that no header carries: use printable ASCII")]
    Letters { line: usize },
    #[error("line {line}: the {what} is in an earlier line too")]
    Twice { line: usize, what: &'static str },
    #[error(
        "the token of `{name}` is the operators' own token too, which may do everything: give it another one"
    )]
    Operators { name: Arc<str> },
    #[error("it has no token in it: write a line `NAME ROLE TOKEN`")]
    Empty,
    #[error("it has more than {TOKENS_MAX} tokens")]
    TooMany,
}

/// The tokens of a file.
///
/// # Errors
/// [`TokensError`] with the line and the remedy.
pub fn read(path: &Path) -> Result<Vec<NamedToken>, TokensError> {
    let text = kept::read_private(path, FILE_BYTES_MAX).map_err(TokensError::Unreadable)?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<NamedToken>, TokensError> {
    let mut tokens: Vec<NamedToken> = Vec::new();
    // Editors put a mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, role, token] = words[..] else {
            return Err(TokensError::Words { line });
        };
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if name.len() > NAME_BYTES_MAX || !name.chars().all(is_part) {
            return Err(TokensError::Name { line });
        }
        let role = Role::by_name(role).ok_or_else(|| TokensError::Role {
            line,
            role: role.escape_debug().to_string(),
        })?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokensError::Letters { line });
        }
        if token.len() < TOKEN_BYTES_MIN {
            return Err(TokensError::Short { line });
        }
        for known in &tokens {
            let what = if known.name.as_deref() == Some(name) {
                "name"
            } else if known.token.reveal() == token {
                "token"
            } else {
                continue;
            };
            return Err(TokensError::Twice { line, what });
        }
        if tokens.len() >= TOKENS_MAX {
            return Err(TokensError::TooMany);
        }
        tokens.push(NamedToken {
            name: Some(name.into()),
            role,
            token: Secret::new(token),
        });
    }
    if tokens.is_empty() {
        return Err(TokensError::Empty);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_token_a_line() {
        let text = "\u{feff}# who may what\n\ngrafana read 0123456789abcdef\n  olga\toperate  fedcba9876543210x \n";
        let tokens = parse(text).unwrap();
        let all: Vec<_> = tokens
            .iter()
            .map(|it| (it.name.as_deref(), it.role, it.token.reveal()))
            .collect();
        assert_eq!(
            all,
            [
                (Some("grafana"), Role::Read, "0123456789abcdef"),
                (Some("olga"), Role::Operate, "fedcba9876543210x"),
            ]
        );
    }

    #[test]
    fn whatever_is_no_such_line_is_named() {
        let long = format!("{} read 0123456789abcdef", "n".repeat(65));
        let many: String = (0..65)
            .map(|number| format!("n{number} read 0123456789abcde{number}\n"))
            .collect();
        for (text, part) in [
            (
                "ann read 0123456789abcdef\u{1b}",
                "line 1: the token has a character",
            ),
            (
                "ann read \u{43f}\u{430}\u{440}\u{43e}0123456789",
                "line 1: the token has a character",
            ),
            ("", "no token in it"),
            ("# nothing\n", "no token in it"),
            ("ann read", "line 1 has no three words"),
            (
                "ann read 0123456789abcdef more",
                "line 1 has no three words",
            ),
            ("\nann root 0123456789abcdef", "line 2: `root` is no role"),
            (
                "ann read short",
                "line 1: the token has fewer than 16 bytes",
            ),
            ("an;n read 0123456789abcdef", "line 1: the name is no name"),
            (&long, "line 1: the name is no name"),
            (
                "a read 0123456789abcdef\nb read 0123456789abcdef",
                "line 2: the token is in an earlier line",
            ),
            (
                "a read 0123456789abcdef\na read 1123456789abcdef",
                "line 2: the name is in an earlier line",
            ),
            (&many, "more than 64 tokens"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
            assert!(!error.contains("0123456789abcdef"), "{error}");
        }
    }
}
