//! Operators' API: metrics, health, statistics, pins. Its own listener, its own shapes.
//!
//! Reading changes nothing. What changes something takes a JSON body, which no page of another
//! origin can send without being asked first.

mod api;
mod experiments;
pub mod policies;
mod shadows;
mod stats;
mod token;

use self::policies::refusal::Refusal;

pub use api::{Admin, router};
pub use stats::{Stats, UserStats};

/// Runs work that blocks where that hurts nobody.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(E::into),
        Err(_) => Err(Refusal::interrupted()),
    }
}
