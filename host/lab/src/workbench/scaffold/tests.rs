//! Names, rendering, putting in place, and reading projects. What is made is really built by
//! `tests/tests/integration/scaffolding.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::create::create;
use super::files::{ProjectFiles, render};
use super::project::{FILE, Project};
use super::{Lang, ScaffoldError, build, sdk, tools};

fn text(files: &ProjectFiles, path: &str) -> String {
    let bytes = files.get(path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(bytes.clone()).unwrap()
}

/// Everything below a folder, by its path in it.
fn below(folder: &Path) -> Vec<String> {
    let mut waiting = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let within = path.strip_prefix(folder).unwrap();
            found.push(within.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn a_name_is_what_a_manifest_takes() {
    for name in ["a", "spare-the-busy", "v2", "lru-2"] {
        assert!(render(name, Lang::Rust).is_ok(), "{name}");
    }
    let long = "a".repeat(65);
    for name in [
        "", "A", "1a", "-a", "a-", "a--b", "a_b", "a b", "../a", "ä", "a\n", &long,
    ] {
        let report = render(name, Lang::C).unwrap_err().to_string();
        assert!(
            report.contains("lower case words joined by hyphens"),
            "{report}"
        );
        assert!(!report.contains('\n'), "{report}");
    }
    let report = render("wastegate-policy", Lang::Rust)
        .unwrap_err()
        .to_string();
    assert_eq!(
        report,
        "`wastegate-policy` is the name of the SDK: give the policy one of its own"
    );
}

#[test]
fn every_language_has_a_project_with_the_name_filled_in() {
    for lang in Lang::ALL {
        let files = render("spare-the-busy", lang).unwrap();
        for expected in [
            ".gitignore",
            "README.md",
            "cases/nobody-there.json",
            "snapshots/full-house.json",
            FILE,
        ] {
            assert!(files.contains_key(expected), "{lang}: {expected}");
        }
        for (path, bytes) in &files {
            assert!(!path.contains("dot-"), "{lang}: {path}");
            let Ok(text) = str::from_utf8(bytes) else {
                continue;
            };
            for placeholder in ["{{name}}", "{{crate}}", "{{toolchain}}"] {
                assert!(
                    !text.contains(placeholder),
                    "{lang}: {path} has {placeholder}"
                );
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("p");
        create(&place, &files).unwrap();
        let project = Project::read(&place).unwrap();
        assert_eq!(
            (project.name.as_str(), project.lang),
            ("spare-the-busy", lang)
        );
        let sources = files.iter().filter(|(path, bytes)| {
            let named = str::from_utf8(bytes).is_ok_and(|text| text.contains("spare-the-busy"));
            named && !path.ends_with(".md") && !path.ends_with(".toml") && !path.ends_with(".json")
        });
        assert_eq!(sources.count(), 1, "{lang}: the policy says its name");
    }
}

#[test]
fn cases_and_snapshots_are_json_and_name_rows_that_there_are() {
    for lang in Lang::ALL {
        let files = render("p", lang).unwrap();
        let json = |path: &str| -> serde_json::Value {
            serde_json::from_str(&text(&files, path)).unwrap_or_else(|e| panic!("{path}: {e}"))
        };
        let house = json("snapshots/full-house.json");
        let keys: Vec<&str> = house["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["key"].as_str().unwrap())
            .collect();
        assert_eq!(keys.len(), 20);
        let cases: Vec<&String> = files
            .keys()
            .filter(|path| path.starts_with("cases/"))
            .collect();
        assert!(cases.len() >= 3, "{cases:?}");
        for path in cases {
            let case = json(path);
            assert!(case["about"].is_string(), "{path}");
            if case["snapshot"] != "../snapshots/full-house.json" {
                continue;
            }
            for expectation in ["order", "victims", "spared"] {
                let rows = case["expect"][expectation].as_array().into_iter().flatten();
                for row in rows {
                    assert!(keys.contains(&row.as_str().unwrap()), "{path}: {row}");
                }
            }
        }
    }
}

#[test]
fn a_rust_project_carries_the_whole_sdk_and_nothing_of_our_workspace() {
    let files = render("p", Lang::Rust).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/sdk/src");
    let sources = below(&ours);
    assert!(sources.len() > 15, "{sources:?}");
    for source in sources {
        let copy = files.get(&format!("vendor/wastegate-policy/src/{source}"));
        let original = fs::read(ours.join(&source)).unwrap();
        assert!(copy == Some(&original), "{source}");
    }
    let manifest: toml::Table = text(&files, "vendor/wastegate-policy/Cargo.toml")
        .parse()
        .unwrap();
    assert_eq!(
        manifest["package"]["version"].as_str(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
    assert!(!toml::to_string(&manifest).unwrap().contains("workspace"));
    for gone in ["dev-dependencies", "lints"] {
        assert!(!manifest.contains_key(gone), "{gone}");
    }
    let toolchain: toml::Table = text(&files, "rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(
        channel.split('.').all(|part| part.parse::<u32>().is_ok()),
        "{channel}"
    );
}

#[test]
fn what_the_sdk_inherits_is_written_out_and_what_is_missing_is_named() {
    let workspace = "[workspace.package]\nversion = \"3.2.1\"\n[workspace.dependencies]\nd = { version = \"=1.0.0\", features = [\"f\"] }\n";
    let member = "[package]\nname = \"s\"\nversion.workspace = true\n[dependencies]\nd.workspace = true\ne = \"2\"\n[dev-dependencies]\nx = \"1\"\n";
    let made: toml::Table = sdk::manifest(member, workspace).unwrap().parse().unwrap();
    assert_eq!(made["package"]["version"].as_str(), Some("3.2.1"));
    assert_eq!(
        made["dependencies"]["d"]["version"].as_str(),
        Some("=1.0.0")
    );
    assert_eq!(made["dependencies"]["e"].as_str(), Some("2"));
    assert!(!made.contains_key("dev-dependencies"));
    let report = sdk::manifest(member, "[workspace.package]\nversion = \"1.0.0\"\n");
    assert!(
        report
            .unwrap_err()
            .to_string()
            .ends_with("the workspace has no `dependencies.d`")
    );
}

#[test]
fn a_project_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let files: ProjectFiles = [("a/b", "1"), (".c", "2")]
        .map(|(path, text)| (path.to_owned(), text.into()))
        .into();
    let at = |name: &str| folder.path().join(name);
    create(&at("new"), &files).unwrap();
    assert_eq!(below(&at("new")), [".c", "a/b"]);

    fs::create_dir(at("empty")).unwrap();
    create(&at("empty"), &files).unwrap();
    assert_eq!(below(&at("empty")), [".c", "a/b"]);

    fs::write(at("file"), "mine").unwrap();
    for taken in ["new", "file"] {
        let report = create(&at(taken), &files).unwrap_err();
        assert!(matches!(report, ScaffoldError::Occupied(_)), "{report}");
    }
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "mine");

    // A file where a folder has to be: fails in the middle of writing.
    let broken: ProjectFiles = [("a", "1"), ("a/b", "2")]
        .map(|(path, text)| (path.to_owned(), text.into()))
        .into();
    create(&at("broken"), &broken).unwrap_err();
    create(&at("no/parent"), &files).unwrap_err();
    create(Path::new(".."), &files).unwrap_err();
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["empty", "file", "new"]);
}

#[test]
fn a_wrong_project_file_is_told_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let good = [
        ("name", "\"p\""),
        ("lang", "\"c\""),
        ("artifact", "\"p.wasm\""),
        ("build", "[\"true\"]"),
    ];
    let read = |change: &str, to: Option<&str>| {
        let lines = good.iter().filter_map(|(key, value)| {
            let value = if *key == change { to? } else { value };
            Some(format!("{key} = {value}\n"))
        });
        let extra = to.filter(|_| !good.iter().any(|(key, _)| *key == change));
        let extra = extra.map_or_else(String::new, |to| format!("{change} = {to}\n"));
        fs::write(folder.path().join(FILE), lines.collect::<String>() + &extra).unwrap();
        Project::read(folder.path())
    };
    let project = read("", None).unwrap();
    assert_eq!(project.build, ("true".to_owned(), Vec::new()));
    let cases = [
        ("name", Some("\"P\""), "`name` is `P`: use lower case words"),
        ("name", None, "missing field `name`"),
        (
            "lang",
            Some("\"go\""),
            "`lang` is `go`: use one of rust, c, js, python",
        ),
        ("artifact", Some("\"\""), "`artifact` is empty"),
        ("build", Some("[]"), "`build` is empty"),
        ("build", Some("\"make\""), "expected a sequence"),
        ("bild", Some("1"), "unknown field `bild`"),
    ];
    for (key, value, expected) in cases {
        let report = read(key, value).unwrap_err().to_string();
        assert!(report.contains(expected), "{report}");
        assert!(report.contains(FILE), "{report}");
    }
    fs::write(folder.path().join(FILE), "#".repeat(70_000)).unwrap();
    let report = Project::read(folder.path()).unwrap_err().to_string();
    assert!(report.contains("more than 65536 bytes"), "{report}");
    fs::remove_file(folder.path().join(FILE)).unwrap();
    let report = Project::read(folder.path()).unwrap_err();
    assert!(matches!(report, ScaffoldError::NoProject(_)), "{report}");
}

fn project(folder: &Path, tool: &str, arguments: &[&str]) -> Project {
    Project {
        folder: folder.to_owned(),
        name: "p".to_owned(),
        lang: Lang::C,
        artifact: PathBuf::from("p.wasm"),
        build: (
            tool.to_owned(),
            arguments.iter().map(|&word| word.to_owned()).collect(),
        ),
    }
}

#[test]
fn a_build_runs_in_the_folder_and_says_how_it_failed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |tool: &str, arguments: &[&str]| {
        let project = project(folder.path(), tool, arguments);
        let invocation = tools::invocation(&project).unwrap();
        build::run(&invocation).and_then(|()| build::artifact(&project))
    };
    let report = run("no-such-tool", &["-x"]).unwrap_err();
    assert_eq!(report.to_string(), "`no-such-tool -x` does not start");
    let report = run("sh", &["-c", "exit 3"]).unwrap_err().to_string();
    assert!(
        report.contains("exit status: 3") && report.contains("sh -c exit 3"),
        "{report}"
    );
    let report = run("sh", &["-c", "true"]).unwrap_err();
    assert!(matches!(report, ScaffoldError::NoArtifact(_)), "{report}");
    assert_eq!(
        run("sh", &["-c", "echo x > p.wasm"]).unwrap(),
        folder.path().join("p.wasm")
    );
}

#[test]
fn a_module_without_a_world_is_given_ours_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.wasm");
    let module = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
    fs::write(&path, &module).unwrap();
    let project = project(folder.path(), "true", &[]);
    build::artifact(&project).unwrap();
    let named = fs::read(&path).unwrap();
    assert!(named.starts_with(&module) && named.len() > module.len());
    let (_, world) = wit_component::metadata::decode(&named).unwrap();
    let packages: Vec<String> = world
        .resolve
        .package_names
        .keys()
        .map(ToString::to_string)
        .collect();
    assert!(
        packages.contains(&"wastegate:policy@1.0.0".to_owned()),
        "{packages:?}"
    );
    build::artifact(&project).unwrap();
    assert_eq!(fs::read(&path).unwrap(), named, "it has one now");
    assert_eq!(below(folder.path()), ["p.wasm"]);
}

proptest! {
    #[test]
    fn whatever_the_name_the_manifest_and_the_project_file_carry_it(
        name in "[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,4}",
    ) {
        let files = render(&name, Lang::Rust).unwrap();
        let manifest: toml::Table = text(&files, "Cargo.toml").parse().unwrap();
        prop_assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
        let project: toml::Table = text(&files, FILE).parse().unwrap();
        let artifact = project["artifact"].as_str().unwrap().to_owned();
        let expected = format!("/{}.wasm", name.replace('-', "_"));
        prop_assert!(artifact.ends_with(&expected), "{}", artifact);
    }
}
