//! A host and perhaps a port, as `Host`, `X-Forwarded-Host` and the origins of pages have them.

use std::fmt;
use std::net::Ipv6Addr;

use wastegate_core::types::host::is_loopback;

/// A host and perhaps a port (RFC 9110, section 7.2). Hosts are compared without case, addresses by
/// their value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// Reads it; nothing else may stand beside it, a user or a path least of all.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (inner, rest) = bracketed.split_once(']')?;
                let address = inner.parse::<Ipv6Addr>().ok()?;
                (format!("[{address}]"), rest)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (host, rest) = text.split_at_checked(end)?;
                if host.is_empty() || !host.bytes().all(is_of_name) {
                    return None;
                }
                (host.to_ascii_lowercase(), rest)
            }
        };
        let port = match port {
            // A colon with nothing behind it is the usual port (RFC 3986, section 3.2.3).
            "" | ":" => None,
            port => {
                let digits = port.strip_prefix(':')?;
                let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
                Some(digits.parse().ok().filter(|_| are_digits)?)
            }
        };
        Some(Self { host, port })
    }

    /// The host in lower case, an IPv6 address in brackets and in its shortest form.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if it is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether a byte may stand in a name (`reg-name` of RFC 3986). No comma: that is two hosts in one line.
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b';'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_and_a_port_and_nothing_else() {
        for (text, shown) in [
            ("chat.example", "chat.example"),
            ("Chat.Example:8443", "chat.example:8443"),
            ("chat.example:", "chat.example"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[2001:DB8:0::1]:443", "[2001:db8::1]:443"),
            ("my_host", "my_host"),
        ] {
            let read = Authority::read(text.as_bytes()).unwrap();
            assert_eq!(read.to_string(), shown);
        }
        for text in [
            "",
            ":80",
            "a@b/c d",
            "a b",
            "a,b",
            "a/b",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:+80",
            "2001:db8::1",
            "[::1",
            "[::1]x",
            "[127.0.0.1]",
            "a\"b",
            "ä.example",
        ] {
            assert_eq!(Authority::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Authority::read(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_again(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(read) = Authority::read(&bytes) {
                prop_assert_eq!(Authority::read(read.to_string().as_bytes()), Some(read));
            }
        }
    }
}
