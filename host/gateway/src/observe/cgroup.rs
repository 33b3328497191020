//! How much memory the control group of this process may use, in either version of cgroups(7).

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted, on every system that has them.
const MOUNTED_AT: &str = "/sys/fs/cgroup";
/// A version 1 group without a limit says a number near 2^63.
const UNLIMITED_FROM: u64 = 1 << 60;

/// The smallest limit that holds for this process, bytes; none without one.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounted = Path::new(MOUNTED_AT);
    let limits = groups
        .lines()
        .filter_map(|line| limits_of(mounted, line))
        .flat_map(|(folder, root, file)| {
            let folders: Vec<PathBuf> = folder.ancestors().map(Path::to_path_buf).collect();
            folders
                .into_iter()
                .take_while(move |folder| folder.starts_with(&root))
                .filter_map(move |folder| limit(&fs::read_to_string(folder.join(file)).ok()?))
        });
    limits.min()
}

/// The folder of a group, the root above it, and the file that has its limit; none where the group has
/// nothing to do with memory.
fn limits_of(mounted: &Path, line: &str) -> Option<(PathBuf, PathBuf, &'static str)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = path.trim_start_matches('/');
    if number == "0" && controllers.is_empty() {
        let root = mounted.to_owned();
        return Some((root.join(path), root, "memory.max"));
    }
    if controllers.split(',').any(|name| name == "memory") {
        let root = mounted.join("memory");
        return Some((root.join(path), root, "memory.limit_in_bytes"));
    }
    None
}

fn limit(text: &str) -> Option<u64> {
    let bytes = text.trim().parse().ok()?;
    (bytes < UNLIMITED_FROM).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_understood() {
        let of = |line| limits_of(Path::new("/c"), line).map(|(folder, _, file)| folder.join(file));
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(of("0::/a/b"), path("/c/a/b/memory.max"));
        assert_eq!(of("0::/"), path("/c/memory.max"));
        let first = path("/c/memory/x/memory.limit_in_bytes");
        assert_eq!(of("9:cpu,memory:/x"), first);
        assert_eq!(of("3:cpuset:/x"), None);
        assert_eq!(of("nonsense"), None);
    }

    #[test]
    fn no_limit_is_none() {
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
        assert_eq!(limit("536870912\n"), Some(512 << 20));
    }
}
