//! The key of pseudonyms: configured, else kept with the state, else made for this process.
//!
//! With a state directory users have the same pseudonym after a restart, so that an experiment knows
//! whom it exposed.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use super::error::AppError;
use crate::config::ProgramConfig;
use wastegate::observe::pseudonym::PseudonymKey;
use wastegate_files as files;

/// The file, in the state directory; only its owner may read it.
const FILE_NAME: &str = "pseudonym.key";
const BYTES: usize = 16;

/// The key that a configuration comes to.
pub(super) fn of(config: &ProgramConfig) -> Result<PseudonymKey, AppError> {
    match (&config.observe.pseudonym_key, &config.rollout.state_dir) {
        (Some(key), _) => Ok(key.clone()),
        (None, Some(folder)) => kept(folder),
        (None, None) => PseudonymKey::generate().map_err(AppError::Observe),
    }
}

/// Whether the kept key can be used, if there is one.
pub(super) fn check(folder: &Path) -> Result<(), AppError> {
    match folder.join(FILE_NAME).try_exists() {
        Ok(true) => kept(folder).map(drop),
        Ok(false) | Err(_) => Ok(()),
    }
}

fn kept(folder: &Path) -> Result<PseudonymKey, AppError> {
    let path = folder.join(FILE_NAME);
    let at = |source: io::Error| AppError::State {
        path: path.clone(),
        source,
    };
    match files::read(&path).and_then(io::read_to_string) {
        Ok(text) => text.trim().parse().map_err(|_| AppError::Key(path.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = make(folder, &path).map_err(at)?;
            text.parse().map_err(AppError::Observe)
        }
        Err(error) => Err(at(error)),
    }
}

/// Makes a new one: whole or not at all, and only its owner's.
fn make(folder: &Path, path: &Path) -> io::Result<String> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let text = bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    files::make_folder(folder)?;
    files::replace(path, |file| file.write_all(text.as_bytes()))?;
    Ok(text)
}
