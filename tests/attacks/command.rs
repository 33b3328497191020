//! The program as a command, and requests of operators as bytes.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;
use wastegate_tests::harness::within;

use crate::stage::{PROGRAM, ask};

/// Runs the program: its exit code, and all that it says, bytes that are no text included.
pub(crate) async fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.args(arguments);
    let ran = tokio::task::spawn_blocking(move || command.output());
    let ran = within("a command", ran).await.unwrap().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(said).unwrap())
}

/// A folder with a file of settings in it, and the file: secrets cannot be given as flags.
pub(crate) fn settings(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wastegate.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

/// A request of the operators' listener with these headers, each with its end of line.
pub(crate) async fn request(to: SocketAddr, line: &str, headers: &str, body: &[u8]) -> String {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    ask(to, &[head.as_bytes(), body].concat()).await
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    status.parse().unwrap_or_else(|_| panic!("{answer:?}"))
}
