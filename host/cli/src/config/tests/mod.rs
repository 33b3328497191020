//! Tests of the room: what is refused and how, what holds over what, what is shown and printed.

#[cfg(feature = "cluster")]
mod clusters;
mod documents;
mod generated;
mod layers;
mod malformed;
pub(crate) mod reread;
mod round_trip;
mod routes;
mod table;

use super::*;

/// A configuration file for one test.
pub(super) struct File(tempfile::NamedTempFile);

impl File {
    pub(super) fn new(text: &str) -> Self {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Self(file)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// A message with this file called `FILE`.
    pub(super) fn anonymous(&self, message: &str) -> String {
        message.replace(&self.0.path().display().to_string(), "FILE")
    }
}

/// What a file, variables and `--set` flags come to; the error is one problem a line.
pub(super) fn loaded(
    file: &str,
    environment: &[(&str, &str)],
    set: &[&str],
) -> Result<LoadedConfig, String> {
    let file = File::new(file);
    let sources = Sources {
        file: Some(file.path()),
        environment: environment.iter().copied().collect(),
        set: set.iter().map(|text| (*text).to_owned()).collect(),
        overrides: Vec::new(),
    };
    load(sources).map_err(|error| file.anonymous(&error.to_string()))
}

pub(super) fn setting<'a>(loaded: &'a LoadedConfig, key: &str) -> &'a Setting {
    loaded
        .settings
        .iter()
        .find(|setting| setting.key == key)
        .unwrap()
}

/// A value as a variable or a flag has it.
pub(super) fn as_text(value: &SettingValue) -> String {
    match value {
        SettingValue::Text(text) => text.clone(),
        SettingValue::List(words) => words.join(","),
        SettingValue::Wholes(numbers) => {
            let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
            words.join(",")
        }
        other => other.to_string(),
    }
}

/// Not every room can compare its settings; all can print every field of them.
#[track_caller]
pub(super) fn assert_same(one: &ProgramConfig, other: &ProgramConfig) {
    assert_eq!(format!("{one:#?}"), format!("{other:#?}"));
}
