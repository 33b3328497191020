//! The console's files: what is sent with them, and that those of others are what their table says.

use std::fs;
use std::path::{Path, PathBuf};

use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use super::*;

/// Vendor code that the browser loads, compressed, bytes.
const VENDOR_PACKED_MAX: usize = 32 * 1_024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("console")
}

fn asked(headers: &[(HeaderName, &str)]) -> HeaderMap {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.clone(), value.parse().unwrap()))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn a_file_comes_with_what_bounds_it() {
    let answer = file(PAGE, &HeaderMap::new()).unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
    assert!(file("../Cargo.toml", &HeaderMap::new()).is_none());
    assert!(file("vendor/README.md", &HeaderMap::new()).is_none());
}

#[test]
fn gzip_goes_to_who_takes_it_and_a_known_file_is_not_sent_again() {
    let packed = asked(&[(ACCEPT_ENCODING, "br, gzip;q=0.5")]);
    let answer = file("app.js", &packed).unwrap();
    assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
    let tag = answer.headers()[ETAG].to_str().unwrap().to_owned();
    for plain in ["", "br", "gzip;q=0", "x-gzip"] {
        let answer = file("app.js", &asked(&[(ACCEPT_ENCODING, plain)])).unwrap();
        assert!(!answer.headers().contains_key(CONTENT_ENCODING), "{plain}");
        assert_ne!(answer.headers()[ETAG], tag);
    }
    let mut again = packed;
    again.insert(IF_NONE_MATCH, format!("\"x\", W/{tag}").parse().unwrap());
    let answer = file("app.js", &again).unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    let other = asked(&[(IF_NONE_MATCH, "\"x\""), (AUTHORIZATION, "Bearer x")]);
    assert_eq!(file("app.js", &other).unwrap().status(), StatusCode::OK);
}

/// The page has no script and no style of its own, which its policy would not run.
#[test]
fn the_page_names_files_that_are_there_and_has_nothing_inline() {
    let page = fs::read_to_string(folder().join(PAGE)).unwrap();
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
    let mut named = 0;
    for mark in ["src=\"", "href=\""] {
        for rest in page.split(mark).skip(1) {
            let path = rest.split('"').next().unwrap();
            let Some(path) = path.strip_prefix("console/") else {
                assert!(path.starts_with('#'), "{path}");
                continue;
            };
            assert!(file(path, &HeaderMap::new()).is_some(), "{path}");
            named += 1;
        }
    }
    assert!(named >= 3, "{named}");
    for script in page.split("<script").skip(1) {
        assert!(script.contains("src=") && script.contains("></script>"));
    }
}

/// Modules import each other by relative path, and every path leads to a file.
#[test]
fn every_import_leads_to_a_file() {
    let own = FILES
        .iter()
        .filter(|file| file.path.ends_with("js") && !file.path.starts_with("vendor/"));
    for file in own {
        let text = std::str::from_utf8(file.plain).unwrap();
        let imports = |line: &&str| line.contains("from '") || line.starts_with("import '");
        for line in text.lines().filter(imports) {
            let path = line.split('\'').nth(1).unwrap();
            assert!(path.starts_with('.'), "{}: {line}", file.path);
            let from = folder().join(file.path);
            assert!(from.parent().unwrap().join(path).is_file(), "{line}");
        }
    }
}

/// What comes from outside is text: nothing of ours writes markup.
#[test]
fn no_script_of_ours_makes_markup_of_a_text() {
    for file in FILES {
        let text = std::str::from_utf8(file.plain).unwrap();
        if file.path.starts_with("vendor/") {
            continue;
        }
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "dangerouslySet",
            "document.write",
            "eval(",
        ] {
            assert!(!text.contains(word), "{}: {word}", file.path);
        }
    }
}

#[test]
fn code_of_others_is_what_its_table_says() {
    let vendor = folder().join("vendor");
    let table = fs::read_to_string(vendor.join("README.md")).unwrap();
    let mut files = files_below(&vendor);
    files.retain(|path| !path.ends_with("README.md"));
    for path in &files {
        let name = path.strip_prefix(&vendor).unwrap().to_str().unwrap();
        let row = format!("| `{name}` |");
        let row = table.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
        let bytes = fs::read(path).unwrap();
        assert!(
            row.contains(&hex(&bytes)),
            "{name} is another: {}",
            hex(&bytes)
        );
        if name == "preact/hooks.mjs" {
            let text = String::from_utf8(bytes).unwrap();
            let original = text.replace("from\"./preact.mjs\"", "from\"preact\"");
            assert!(table.contains(&hex(original.as_bytes())), "{name}");
        }
    }
    let rows = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, files.len(), "the table has a file that is not there");
}

#[test]
fn code_of_others_is_small() {
    let vendor = FILES.iter().filter(|file| file.path.starts_with("vendor/"));
    let packed: usize = vendor.map(|file| file.packed.len()).sum();
    assert!(packed <= VENDOR_PACKED_MAX, "{packed} bytes");
}
