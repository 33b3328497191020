//! Whether files have changed: by looking at them now and then, and by what is in them.
//!
//! A look costs a `stat` a file; only where that differs from the last one are the bytes read, and
//! only other bytes are a change. So a build that writes the same file anew changes nothing, and a
//! change within the resolution of a file's date is seen as soon as its size or date moves.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use wastegate_engine::policy::load::digest;

/// The largest file whose bytes are compared; of a larger one the date and size have to do.
const COMPARED_BYTES_MAX: u64 = 64 << 20;

/// What was seen of some files.
#[derive(Debug, Default)]
pub struct FileWatch {
    seen: BTreeMap<PathBuf, Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    stat: Option<(SystemTime, u64)>,
    digest: Option<std::sync::Arc<str>>,
}

impl FileWatch {
    /// Looks at the files, and says whether one came, went or holds something else than when they
    /// were looked at before. The first look says yes if there is any.
    pub fn look(&mut self, paths: &[PathBuf]) -> bool {
        let before = self.seen.len();
        self.seen.retain(|path, _| paths.contains(path));
        let mut changed = self.seen.len() != before;
        for path in paths {
            let stat = fs::metadata(path)
                .and_then(|found| Ok((found.modified()?, found.len())))
                .ok();
            if self.seen.get(path).is_some_and(|seen| seen.stat == stat) {
                continue;
            }
            let small = stat.is_some_and(|(_, bytes)| bytes <= COMPARED_BYTES_MAX);
            let bytes = small.then(|| fs::read(path).ok()).flatten();
            let digest = bytes.map(|bytes| digest(&bytes));
            let seen = Seen { stat, digest };
            let last = self.seen.insert(path.clone(), seen.clone());
            let same = last.is_some_and(|last| last.digest.is_some() && last.digest == seen.digest);
            changed |= !same;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// Writes a file with a date of its own, so that no two looks meet the same.
    fn write(path: &PathBuf, text: &str, second: u64) {
        fs::write(path, text).unwrap();
        let date = UNIX_EPOCH + Duration::from_secs(1_000_000 + second);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(date)
            .unwrap();
    }

    #[test]
    fn only_other_bytes_are_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.json", "b.wasm"]
            .map(|name| folder.path().join(name))
            .to_vec();
        let mut watch = FileWatch::default();
        write(&paths[0], "one", 1);
        assert!(watch.look(&paths), "the first look");
        assert!(!watch.look(&paths), "nothing happened");
        write(&paths[0], "one", 2);
        assert!(!watch.look(&paths), "the same bytes again");
        write(&paths[0], "two", 3);
        assert!(watch.look(&paths), "other bytes");
        write(&paths[1], "new", 1);
        assert!(watch.look(&paths), "a file came");
        fs::remove_file(&paths[1]).unwrap();
        assert!(watch.look(&paths), "a file went");
        assert!(!watch.look(&paths), "and stays away");
        assert!(watch.look(&paths[..1]), "it is not listed any more");
    }
}
