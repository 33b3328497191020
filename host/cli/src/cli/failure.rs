//! Why a verb ended before it was done: in sentences, with the exit code that says so. A verb passes it
//! up with `?`, and [`Failure::report`] is the one place that writes it.

use std::error::Error;
use std::io;
use std::process::ExitCode;

pub(in crate::cli) use super::exit::EX_NOINPUT;
use super::exit::{EX_CONFIG, EX_FAILURE, EX_UNAVAILABLE};
use crate::app::AppError;
use crate::config::ConfigError;
use wastegate_core::types::chain;

/// Why a verb ended before it was done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The terminal cannot be written to, or the system gives no runtime.
    Io(io::Error),
    /// Any other failure of a command.
    Verb {
        /// The exit code.
        code: u8,
        /// What is wrong, a line each.
        sentences: Vec<String>,
    },
}

impl Failure {
    /// With one sentence, and exit code 1.
    pub(in crate::cli) fn new(sentence: impl Into<String>) -> Self {
        Self::all([sentence.into()])
    }

    /// With a sentence for each thing that is wrong, and exit code 1.
    pub(in crate::cli) fn all(sentences: impl IntoIterator<Item = String>) -> Self {
        Self::Verb {
            code: EX_FAILURE,
            sentences: sentences.into_iter().collect(),
        }
    }

    /// With an error and what caused it, and exit code 1.
    pub(in crate::cli) fn of(error: &dyn Error) -> Self {
        Self::new(chain(error))
    }

    /// The same, with what has happened all the same.
    pub(in crate::cli) fn and(self, sentence: impl Into<String>) -> Self {
        match self {
            Self::Io(_) => self,
            Self::Verb {
                code,
                mut sentences,
            } => {
                sentences.push(sentence.into());
                Self::Verb { code, sentences }
            }
        }
    }

    /// The same with another exit code.
    pub(in crate::cli) fn code(self, code: u8) -> Self {
        match self {
            Self::Io(_) => self,
            Self::Verb { sentences, .. } => Self::Verb { code, sentences },
        }
    }

    /// Writes what is wrong, and gives the exit code for it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub(in crate::cli) fn report(self, err: &mut dyn io::Write) -> io::Result<ExitCode> {
        match self {
            Self::Io(error) => Err(error),
            Self::Verb { code, sentences } => {
                for sentence in sentences {
                    writeln!(err, "error: {sentence}")?;
                }
                Ok(ExitCode::from(code))
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::all(error.problems().iter().map(ToString::to_string)).code(EX_CONFIG)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::of(&error).code(EX_UNAVAILABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_is_a_line_and_the_code_is_the_verbs() {
        let mut err = Vec::new();
        let failure = Failure::all(["one".to_owned(), "two".to_owned()]).code(EX_NOINPUT);
        let code = failure.report(&mut err).unwrap();
        assert_eq!(code, ExitCode::from(EX_NOINPUT));
        assert_eq!(err, b"error: one\nerror: two\n");
        let code = Failure::new("three").report(&mut err).unwrap();
        assert_eq!(code, ExitCode::FAILURE);
        let lost = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(
            lost.report(&mut err).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
