//! Attacks on the real program: what an attacker did, what it got, and that bystanders did not notice.
//!
//! One file for a kind. [`stage`] has the program with a connected client beside it; an attack ends with
//! `Stage::unharmed`: the client talks, another one is let in, and `/healthz` answers, each in time.

#[cfg(test)]
mod command;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod development;
#[cfg(test)]
mod echoing;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod handshakes;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod loader;
#[cfg(test)]
mod names;
#[cfg(test)]
mod parked;
#[cfg(test)]
mod places;
#[cfg(test)]
mod rebinding;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod terminal;

/// Nothing happens: what the other tests compare with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bystanders_are_well_when_nobody_attacks() {
    stage::Stage::with(&[]).await.unharmed().await;
}
