//! What `deploy/` hands out is taken by the programs that it is for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use crate::cli::{PROGRAM, run};
use crate::reading::root;

fn samples(ending: &str) -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(root().join("deploy")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let named = files.filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    let found: Vec<_> = named
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    assert!(!found.is_empty(), "no sample ends with {ending}");
    found
}

/// A certificate and its key in a folder, apart and in one file.
fn certificate(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["chat.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let key = key.serialize_pem();
    fs::write(folder.join("cert.pem"), &certificate).unwrap();
    fs::write(folder.join("key.pem"), &key).unwrap();
    fs::write(folder.join("cert-and-key.pem"), certificate + &key).unwrap();
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("-v").output().is_ok()
}

fn checked(command: &mut Command, sample: &Path) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", sample.display());
}

/// HAProxy takes its samples, also where a process may have 20,000 files open.
#[test]
fn w80_haproxy_takes_its_samples_at_a_hard_limit_of_20_000() {
    if !is_installed("haproxy") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    for (sample, text) in samples(".cfg") {
        let text = text.replace("/etc/haproxy/", &format!("{}/", folder.path().display()));
        let file = folder.path().join("sample.cfg");
        fs::write(&file, text).unwrap();
        let line = format!("ulimit -n 20000 && exec haproxy -c -f {}", file.display());
        checked(Command::new("sh").args(["-c", &line]), &sample);
    }
}

#[test]
fn w80_nginx_takes_its_samples() {
    if !is_installed("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    for (sample, text) in samples(".conf") {
        let here = format!("{}/", folder.path().display());
        let text = text.replace("/etc/nginx/", &here);
        let file = folder.path().join("nginx.conf");
        let whole = format!(
            "pid {here}pid; error_log stderr; events {{}}\nhttp {{ access_log off;\n{text}\n}}\n"
        );
        fs::write(&file, whole).unwrap();
        let mut nginx = Command::new("nginx");
        checked(
            nginx
                .arg("-t")
                .arg("-p")
                .arg(folder.path())
                .arg("-c")
                .arg(&file),
            &sample,
        );
    }
}

/// Our own sample is taken by our own check.
#[tokio::test]
async fn w80_our_sample_is_taken() {
    for (sample, _) in samples(".toml") {
        let (code, _, complaints) =
            run(&["config", "check", "--config", sample.to_str().unwrap()]).await;
        assert_eq!(code, Some(0), "{complaints}");
    }
}

/// Every command that a document or a sample names is there.
#[test]
fn w80_every_verb_that_is_named_exists() {
    let mut texts: Vec<String> = ["", ".toml", ".service"]
        .iter()
        .flat_map(|ending| samples(ending))
        .map(|(_, text)| text)
        .collect();
    for name in [
        "README.md",
        "docs/gateway.md",
        "docs/configuration.md",
        "docs/security.md",
    ] {
        texts.push(fs::read_to_string(root().join(name)).unwrap());
    }
    let mut verbs = BTreeSet::new();
    for text in &texts {
        for code in text.split('`').skip(1).step_by(2) {
            if let Some(line) = code.strip_prefix("wastegate ") {
                let is_verb = |word: &&str| {
                    !word.is_empty()
                        && word
                            .bytes()
                            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                        && !word.starts_with('-')
                };
                let words: Vec<&str> = line.split(' ').take_while(is_verb).take(2).collect();
                verbs.insert(words.join(" "));
            }
        }
    }
    assert!(verbs.contains("config default"), "{verbs:?}");
    for verb in verbs.iter().filter(|verb| !verb.is_empty()) {
        let output = Command::new(PROGRAM)
            .args(verb.split(' '))
            .arg("--help")
            .output();
        assert!(
            output.unwrap().status.success(),
            "`wastegate {verb}` is no command"
        );
    }
}

/// The documents that people read: at the top, in `docs`, and beside what they are about.
fn documents() -> Vec<(String, String)> {
    let root = root();
    let mut waiting = ["", "docs", "policies", "tests", "wit", "deploy"]
        .map(|it| root.join(it))
        .to_vec();
    let mut documents = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "md") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                documents.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(documents.len() > 15, "{}", documents.len());
    documents
}

/// A file or folder of this repository that a document names in code is there.
#[test]
fn every_path_that_a_document_names_exists() {
    let folders = ["host/", "policies/", "tests/", "docs/", "wit/", "deploy/"];
    let is_path = |word: &str| {
        folders.iter().any(|folder| word.starts_with(folder))
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    };
    let mut missing = Vec::new();
    let mut found = 0;
    // What is no longer where it was is what a changelog is about.
    for (document, text) in documents()
        .iter()
        .filter(|(name, _)| name != "CHANGELOG.md")
    {
        let words =
            text.split(|letter: char| letter.is_whitespace() || "`()[]\"',;|".contains(letter));
        for word in words.filter(|word| is_path(word)) {
            let path = word.trim_end_matches(['.', ':']);
            found += 1;
            if !root().join(path).exists() {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(found > 50 && missing.is_empty(), "{found} {missing:#?}");
}
