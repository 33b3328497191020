//! The folder on disk: every file is written beside its place, brought to disk, and renamed.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{StoreError, StoredState};
use crate::rollout::ledger::{LEDGER_BYTES_MAX, RevisionLedger, Unreadable};
use wastegate_engine::policy::load;
use wastegate_files as files;

/// Bytes of a policy's file that are read back: as many as a policy may have anywhere.
const WASM_BYTES_MAX: u64 = 256 << 20;

const LEDGER: &str = "ledger.json";
const PREVIOUS: &str = "ledger.previous.json";
const UNREADABLE: &str = "ledger.unreadable.json";

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Held open for as long as the folder is used; the system lets go of it with the process.
    _lock: File,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<(Self, StoredState), StoreError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Folder { path, source }
        };
        let wasm = root.join("wasm");
        files::make_folder(&wasm).map_err(unusable(&wasm))?;
        files::check_state(root).map_err(unusable(root))?;
        let lock_path = root.join("lock");
        let lock = files::append_state(&lock_path).map_err(unusable(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    path: root.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&lock_path)(error)),
        }
        let this = Self {
            root: root.to_owned(),
            _lock: lock,
        };
        let found = this.find();
        Ok((this, found))
    }

    /// The ledger, or the one before it, or none; with what was wrong.
    fn find(&self) -> StoredState {
        let mut problems = Vec::new();
        for name in [LEDGER, PREVIOUS] {
            let path = self.root.join(name);
            let text = match read(&path, LEDGER_BYTES_MAX) {
                Ok(Some(bytes)) => {
                    String::from_utf8(bytes).map_err(|error| Unreadable::Shape(error.to_string()))
                }
                Ok(None) => Err(Unreadable::TooLarge),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    problems.push(format!("cannot read {}: {error}", path.display()));
                    continue;
                }
            };
            match text.and_then(|text| RevisionLedger::from_json(&text)) {
                Ok(ledger) => {
                    if name == PREVIOUS {
                        problems.push(format!(
                            "{} is used instead, so the last change may be missing",
                            path.display()
                        ));
                    }
                    let ledger = Some(ledger);
                    return StoredState { ledger, problems };
                }
                Err(error) => problems.push(self.set_aside(&path, &error)),
            }
        }
        if !problems.is_empty() {
            problems.push("begun with an empty ledger: nothing is left of the operators' changes but the audit log".to_owned());
        }
        StoredState {
            ledger: None,
            problems,
        }
    }

    fn set_aside(&self, path: &Path, error: &Unreadable) -> String {
        let aside = self.root.join(UNREADABLE);
        let what = format!("{}: {error}", path.display());
        match fs::rename(path, &aside) {
            Ok(()) => format!(
                "{what}; it was set aside as {}, to be mended by hand or removed",
                aside.display()
            ),
            Err(error) => format!("{what}; it cannot be set aside either: {error}"),
        }
    }

    pub(super) fn keep(&self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.wasm(digest);
        // Only what is whole counts as there.
        if self.bytes(digest).is_ok() {
            return Ok(());
        }
        files::replace(&path, |file| file.write_all(bytes))
            .map_err(|source| StoreError::Write { path, source })
    }

    pub(super) fn bytes(&self, digest: &str) -> Result<Arc<[u8]>, StoreError> {
        let path = self.wasm(digest);
        let bytes = match read(&path, WASM_BYTES_MAX) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(source) => return Err(StoreError::Read { path, source }),
        };
        let found = load::digest(&bytes);
        if *found != *digest {
            let found = found.to_string();
            return Err(StoreError::Changed { path, found });
        }
        Ok(bytes.into())
    }

    pub(super) fn write(&self, ledger: &RevisionLedger) -> Result<(), StoreError> {
        let path = self.root.join(LEDGER);
        let previous = self.root.join(PREVIOUS);
        let text = ledger.to_json();
        // A second name for the one that is there, so that it never lacks its own. Where the file
        // system has no second names there is no previous one, which is no reason to keep nothing.
        let _ = fs::remove_file(&previous);
        let _ = fs::hard_link(&path, &previous);
        files::replace(&path, |file| file.write_all(text.as_bytes()))
            .map_err(|source| StoreError::Write { path, source })
    }

    pub(super) fn keep_only(&self, digests: &BTreeSet<String>) {
        let Ok(entries) = fs::read_dir(self.root.join("wasm")) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let kept = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|stem| digests.contains(stem));
            if !kept && let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove what is not needed any more");
            }
        }
    }

    fn wasm(&self, digest: &str) -> PathBuf {
        self.root.join("wasm").join(format!("{digest}.wasm"))
    }
}

/// A file's bytes; none if it has more than `max`.
fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = files::read(path)?
        .take(max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(u64::try_from(read)
        .is_ok_and(|read| read <= max)
        .then_some(bytes))
}
