//! Looking at the directory itself. Blocks; nothing is decided here.

use std::io;
use std::path::Path;

use super::plan::Listing;
use super::{ENTRIES_MAX, FILES_MAX};
use crate::rollout::source::PolicyName;
use crate::rollout::source::file::{self, SIGNATURE_SUFFIX, Unread};
use wastegate_core::types::chain;
use wastegate_files as files;

/// What a policy's file is called after its name.
pub(super) const SUFFIX: &str = ".wasm";

/// Lists the policies' files in a directory, by name, and what else is there. Names that begin with
/// a dot are left alone: they are how files are put in place at once.
pub(super) fn list(directory: &Path) -> io::Result<Listing> {
    files::check_shared(directory)?;
    let mut names = Vec::new();
    let mut listing = Listing::default();
    for (at, entry) in std::fs::read_dir(directory)?.enumerate() {
        if at >= ENTRIES_MAX {
            listing.odd.insert(format!(
                "more than {ENTRIES_MAX} entries are in the directory; the rest is not looked at: keep policies and nothing else there"
            ));
            break;
        }
        let name = entry?.file_name();
        match name.to_str() {
            Some(name) if name.starts_with('.') => {}
            Some(name) => names.push(name.to_owned()),
            None => {
                let shown = name.to_string_lossy().escape_debug().to_string();
                listing.odd.insert(not_a_policy(&shown));
            }
        }
    }
    // In order of their names, so that it is always the same ones that are too many.
    names.sort_unstable();
    for name in names {
        see(directory, &name, &mut listing);
    }
    Ok(listing)
}

fn see(directory: &Path, name: &str, into: &mut Listing) {
    let file = name.strip_suffix(SIGNATURE_SUFFIX).unwrap_or(name);
    let Some(stem) = file.strip_suffix(SUFFIX) else {
        into.odd.insert(not_a_policy(name));
        return;
    };
    let policy = match PolicyName::new(stem) {
        Ok(policy) => policy,
        Err(invalid) => {
            into.odd
                .insert(format!("`{}`: {invalid}", name.escape_debug()));
            return;
        }
    };
    // A signature is looked at with its file, and may be there before it.
    if file != name {
        return;
    }
    if into.files.len() >= FILES_MAX {
        into.odd.insert(format!(
            "more than {FILES_MAX} policies are in the directory; those after `{file}` are not looked at: take away what is not used",
            file = into.files.keys().next_back().map_or("", PolicyName::as_str),
        ));
        return;
    }
    match file::stamps(&directory.join(name)) {
        Ok(stamps) => {
            into.files.insert(policy, stamps);
        }
        // Gone since it was listed, or a link that leads nowhere yet.
        Err(Unread::Absent { .. }) => {}
        Err(other) => {
            into.odd.insert(chain(&other));
        }
    }
}

fn not_a_policy(name: &str) -> String {
    format!(
        "`{}` is no policy's file; policies are called NAME{SUFFIX}",
        name.escape_debug()
    )
}
