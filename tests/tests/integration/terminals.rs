//! The program in a terminal: a pseudo-terminal of the kernel, with what a person would see on it.

use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Program, Setup};

use crate::cli::PROGRAM;

/// A user at the limit is seen, keys are obeyed, a server that goes and comes back is told, and the terminal is
/// given back however it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn top_shows_a_server_and_gives_the_terminal_back() {
    let arguments = [script("top.py"), PROGRAM.into()];
    let (status, told) = Program::start(python(), &arguments).finish().await;
    assert!(status.success(), "{status}, its messages are above");
    assert_eq!(told, "all as it should be\n");
}

/// In 80 columns and in 40 no word is broken, and where there is no terminal nothing is wrapped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_are_told_fits_the_terminal() {
    let server = Setup::new().limit(2).policy("lru").start().await;
    let mut tabs = server.fill("ann", 2).await;
    let _newcomer = server.enter("ann", "one-more").await;
    if let Some(tab) = tabs.pop() {
        tab.leave().await;
    }
    let admin = server.admin.to_string();
    fits(&admin, &["status", "why", "users", "user"]).await;
    fits(&admin, &["policy"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_fits_the_terminal_and_is_in_colour() {
    fits("", &["demo"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_and_settings_fit_the_terminal() {
    fits("", &["config", "serve", "--help"]).await;
}

/// Runs commands in terminals of both widths, and without one.
async fn fits(admin: &str, verbs: &[&str]) {
    let script = script("fitting.py").into_os_string();
    let mut arguments = vec![script, PROGRAM.into(), admin.into()];
    arguments.extend(verbs.iter().map(Into::into));
    let (status, told) = Program::start(python(), &arguments).finish().await;
    assert!(status.success(), "{status}, its messages are above");
    assert_eq!(told, "all as it should be\n");
}
