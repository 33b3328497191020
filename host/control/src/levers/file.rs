//! The levers in the state directory: one small file, replaced as a whole with every change.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::revocation::Revocation;
use super::table::{LeverTable, LeverTerms, UserLevers};
use wastegate_core::types::UserId;
use wastegate_files as files;

/// The file, in the state directory.
const FILE_NAME: &str = "levers.json";
/// What a file is called that could not be read.
const UNREADABLE: &str = "levers.unreadable.json";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// How much of a file is read: more than all levers with reasons of full length need, bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Where levers are kept.
#[derive(Debug)]
pub(super) struct LeverFile {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drain: Option<LeverTerms>,
    users: BTreeMap<String, UserLevers>,
    /// By target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    revoked: BTreeMap<String, Revocation>,
    /// What was taken back, for other nodes of a cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lifted: BTreeMap<String, LeverTerms>,
}

impl LeverFile {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE_NAME),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds; nothing if there is none. One that cannot be read is set aside, with a
    /// sentence about it.
    pub(super) fn read(&self) -> (LeverTable, Option<String>) {
        match self.kept() {
            Ok(table) => (table, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (LeverTable::default(), None),
            Err(error) => {
                let aside = self.path.with_file_name(UNREADABLE);
                let path = self.path.display();
                let then = match fs::rename(&self.path, &aside) {
                    Ok(()) => format!("it is {} now", aside.display()),
                    Err(error) => format!("it cannot be set aside ({error})"),
                };
                let problem = format!(
                    "{path} cannot be read ({error}): the node is not drained, no user has a limit, a block or a pin of an operator, and no token is revoked, until that is set again; {then}"
                );
                (LeverTable::default(), Some(problem))
            }
        }
    }

    fn kept(&self) -> io::Result<LeverTable> {
        let mut text = Vec::new();
        let file = files::read(&self.path)?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
        let kept: Kept = serde_json::from_slice(&text)?;
        if kept.version != VERSION {
            return Err(io::Error::other(format!(
                "it has version {}, and this program reads version {VERSION}",
                kept.version
            )));
        }
        let users = kept.users.into_iter().map(|(user, levers)| {
            let user = UserId::new(&user).map_err(io::Error::other)?;
            Ok((user, levers))
        });
        let users: io::Result<Vec<_>> = users.collect();
        let revoked = kept.revoked.into_iter().map(|(target, revocation)| {
            let target = target.parse().map_err(io::Error::other)?;
            Ok((target, revocation))
        });
        let revoked = revoked.collect::<io::Result<_>>()?;
        let lifted = kept.lifted.into_iter().map(|(name, terms)| {
            let name = name.parse().map_err(io::Error::other)?;
            Ok((name, terms))
        });
        let lifted = lifted.collect::<io::Result<_>>()?;
        let table = LeverTable::new(kept.drain, users?.into_iter(), revoked);
        Ok(table.with_lifted(lifted))
    }

    /// Puts a table in the place of what is there. Once this returns it is on disk.
    pub(super) fn write(&self, table: &LeverTable) -> io::Result<()> {
        let users = table.users();
        let users = users.map(|(user, levers)| (user.to_string(), levers.clone()));
        let revoked = table.revoked().iter();
        let revoked = revoked.map(|(target, it)| (target.to_string(), it.clone()));
        let lifted = table.lifted().iter();
        let lifted = lifted.map(|(name, it)| (name.to_string(), it.clone()));
        let kept = Kept {
            version: VERSION,
            drain: table.drain().cloned(),
            users: users.collect(),
            revoked: revoked.collect(),
            lifted: lifted.collect(),
        };
        files::replace(&self.path, |file| {
            serde_json::to_writer_pretty(&mut *file, &kept)?;
            file.write_all(b"\n")
        })
    }
}
