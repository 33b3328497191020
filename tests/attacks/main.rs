//! Attacks on the real program: what an attacker did, what it got, and that bystanders did not notice.
//!
//! One file for a kind. [`stage`] has the program with a connected client beside it; an attack ends with
//! `Stage::unharmed`: the client talks, another one is let in, and `/healthz` answers, each in time.

mod folders;
mod hostile;
mod loader;
mod stage;

/// Nothing happens: what the other tests compare with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bystanders_are_well_when_nobody_attacks() {
    stage::Stage::with(&[]).await.unharmed().await;
}
