//! Folders in which an attacker on the same machine may write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use wastegate_tests::harness::http::put;
use wastegate_tests::harness::{Program, until};

use crate::hostile::shipped_policy;
use crate::stage::{PROGRAM, Stage};

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn setting(key: &str, path: &Path) -> String {
    format!("--set={key}={}", path.display())
}

/// Starts a server that is to refuse, and gives what it says.
async fn refusal(folder: &Path, argument: &str) -> String {
    let log = folder.join("refusal");
    let shell = format!("exec \"$0\" \"$@\" 2>{}", log.display());
    let arguments = [
        "-c",
        &shell,
        PROGRAM,
        "serve",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        argument,
    ];
    let (status, _) = Program::start("sh", &arguments).finish().await;
    assert!(!status.success(), "{status}");
    fs::read_to_string(log).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_a_policy_directory_that_everybody_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("policies");
    fs::create_dir(&directory).unwrap();
    set(&directory, 0o777);
    let argument = setting("policy.directory.path", &directory);
    let text = refusal(folder.path(), &argument).await;
    assert!(
        text.contains("every user of this machine may write"),
        "{text}"
    );
    assert!(text.contains("chmod o-w"), "{text}");

    // It is opened to everybody while the server runs: what is put there is not looked at.
    set(&directory, 0o755);
    let rescan = "--set=policy.directory.rescan_ms=50";
    let mut stage = Stage::within(folder, &[&argument, rescan]).await;
    set(&directory, 0o777);
    until("it is told", || stage.log().contains("cannot be listed")).await;
    fs::write(directory.join("fifo.wasm"), shipped_policy("fifo")).unwrap();
    stage.unharmed().await;
    assert!(!stage.log().contains("policy taken from the directory"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_a_link_out_of_the_directory_is_not_followed_and_nothing_of_its_target_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("policies");
    fs::create_dir(&directory).unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2 and more of it").unwrap();
    symlink(&secret, directory.join("fifo.wasm")).unwrap();
    let argument = setting("policy.directory.path", &directory);
    let state = folder.path().join("state");
    let kept = setting("policy.rollout.state_dir", &state);
    let rescan = "--set=policy.directory.rescan_ms=50";
    let mut stage = Stage::within(folder, &[&argument, rescan, &kept]).await;
    until("it is told", || {
        stage.log().contains("leads out of its folder")
    })
    .await;
    let digest = wastegate_engine::policy::load::digest(&fs::read(&secret).unwrap());
    for told in [
        stage.log(),
        fs::read_to_string(state.join("audit.jsonl")).unwrap(),
    ] {
        for piece in ["hunter2", "68 75 6e 74", &digest[..12]] {
            assert!(!told.contains(piece), "{told}");
        }
    }
    stage.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_a_state_directory_that_everybody_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    set(&state, 0o777);
    let argument = setting("policy.rollout.state_dir", &state);
    let text = refusal(folder.path(), &argument).await;
    assert!(text.contains("policy.rollout.state_dir"), "{text}");
    assert!(text.contains("chmod o-w"), "{text}");
    Stage::with(&[]).await.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_files_of_state_are_ours_alone_and_are_not_opened_through_links() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let decisions = state.join("decisions.jsonl");
    let arguments = [
        setting("policy.rollout.state_dir", &state),
        setting("observe.decisions.path", &decisions),
    ];
    let arguments = arguments.each_ref().map(String::as_str);
    let mut stage = Stage::within(folder, &arguments).await;
    let token = fs::read_to_string(state.join("admin.token")).unwrap();
    let token = format!("Bearer {}", token.trim());
    let reply = put(
        stage.admin,
        "/v1/policies/fifo",
        &[("authorization", &token)],
        &shipped_policy("fifo"),
    )
    .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let mut seen = 0;
    let mut folders = vec![state.clone()];
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let mode = entry.metadata().unwrap().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} files");
    stage.unharmed().await;
    stage.program.terminate();
    let folder = stage.folder;
    stage.program.finish().await;

    // A link in the place of the audit log.
    let target = folder.path().join("target");
    fs::write(&target, "untouched").unwrap();
    fs::remove_file(state.join("audit.jsonl")).unwrap();
    symlink(&target, state.join("audit.jsonl")).unwrap();
    let text = refusal(folder.path(), arguments[0]).await;
    assert!(text.contains("audit"), "{text}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
}
