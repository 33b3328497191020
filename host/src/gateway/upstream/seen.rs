//! What a backend was seen to do when it was asked, for people.

use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;

use super::Upstream;

/// A backend, and what came of asking it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its address.
    pub url: String,
    /// It took a connection. Whether it upgrades one only a client's request shows.
    pub reached: bool,
    /// The same as a clause, with the reason if it did not.
    pub seen: String,
}

impl Upstream {
    /// Asks it for a connection.
    pub(in crate::gateway) async fn seen(&self, within: Duration) -> Seen {
        let reached = TcpStream::connect((self.host(), self.port()));
        let reached = tokio::time::timeout(within, reached).await;
        let (reached, seen) = match reached {
            Ok(Ok(_)) => (true, "takes connections".to_owned()),
            Ok(Err(error)) => (false, format!("cannot be reached now: {error}")),
            Err(_) => (
                false,
                format!("did not take a connection within {} ms", within.as_millis()),
            ),
        };
        Seen {
            url: self.to_string(),
            reached,
            seen,
        }
    }
}
