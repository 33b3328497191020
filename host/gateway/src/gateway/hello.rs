//! What comes before HTTP: a proxy's word about whom it speaks for (PROXY protocol, version 2), and
//! the TLS handshake.

use std::io;
use std::net::SocketAddr;

use ppp::v2::{Addresses, Header};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The fixed part of a PROXY header, bytes: signature, version, family, length.
const FIXED: usize = 16;
/// What a PROXY header may have behind it, bytes: addresses and a few extensions.
const REST_MAX: usize = 1_024;

/// Reads a PROXY header of version 2, and nothing behind it. None where the proxy speaks for itself,
/// as it does for its health checks.
///
/// # Errors
/// When the stream ends, or begins with something else.
pub(super) async fn proxied(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut bytes = vec![0; FIXED];
    stream.read_exact(&mut bytes).await?;
    let rest = match bytes.last_chunk::<2>() {
        Some(length) if bytes.starts_with(ppp::v2::PROTOCOL_PREFIX) => {
            usize::from(u16::from_be_bytes(*length))
        }
        _ => return Err(invalid("no PROXY header of version 2".to_owned())),
    };
    if rest > REST_MAX {
        return Err(invalid(format!("a PROXY header of {rest} bytes")));
    }
    bytes.resize(FIXED + rest, 0);
    stream
        .read_exact(bytes.get_mut(FIXED..).unwrap_or_default())
        .await?;
    let header = Header::try_from(bytes.as_slice()).map_err(|error| invalid(error.to_string()))?;
    Ok(match (header.command, header.addresses) {
        (ppp::v2::Command::Local, _) => None,
        (_, Addresses::IPv4(ip)) => Some(SocketAddr::from((ip.source_address, ip.source_port))),
        (_, Addresses::IPv6(ip)) => Some(SocketAddr::from((ip.source_address, ip.source_port))),
        (_, Addresses::Unix(_) | Addresses::Unspecified) => None,
    })
}
