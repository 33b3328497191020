//! One hop as proxies write it: an item of `X-Forwarded-For`, or a node of `Forwarded` (RFC 7239,
//! section 6). Ports, brackets and quotes are understood. What cannot be read is unknown, which is an
//! answer of its own: it never stands for the proxy that sent it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lists::{split, unquoted};

/// Where a request came from, as a proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    /// From this address.
    Address(IpAddr),
    /// `unknown`, a name that hides the address, or what cannot be read.
    Unknown,
}

impl Hop {
    /// Reads an item of `X-Forwarded-For`.
    pub(super) fn read(item: &[u8]) -> Self {
        let text = std::str::from_utf8(unquoted(item.trim_ascii())).ok();
        let address = text.and_then(|text| address(text.trim()));
        address.map_or(Self::Unknown, |address| {
            Self::Address(address.to_canonical())
        })
    }

    /// Reads an element of `Forwarded`; one without `for` says nothing of its client.
    pub(super) fn of_element(element: &[u8]) -> Self {
        parameter(element, "for").map_or(Self::Unknown, Self::read)
    }
}

/// A parameter of an element of `Forwarded`, without quotes.
pub(super) fn parameter<'a>(element: &'a [u8], name: &str) -> Option<&'a [u8]> {
    split(element, b';').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = pair.split_at_checked(at)?;
        let is_it = found.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let value = value.strip_prefix(b"=")?.trim_ascii();
        is_it.then(|| unquoted(value))
    })
}

/// An address, with a port or without: `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`.
fn address(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (inner, port) = bracketed.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address = inner.parse::<Ipv6Addr>().ok()?;
        return is_port.then_some(address.into());
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.split_once(':')?;
    let address = host.parse::<Ipv4Addr>().ok()?;
    is_port(port).then_some(address.into())
}

/// A port, or a name that hides it.
fn is_port(text: &str) -> bool {
    let is_hidden = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !name.is_empty() && name.bytes().all(fits)
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && text.parse::<u16>().is_ok() || text.strip_prefix('_').is_some_and(is_hidden)
}

/// An address as a node of `Forwarded`: one of IPv6 has brackets, and therefore quotes.
#[cfg(any(feature = "upstream", test))]
pub(super) fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        match Hop::read(text.as_bytes()) {
            Hop::Address(address) => address.to_string(),
            Hop::Unknown => "unknown".to_owned(),
        }
    }

    /// W57: ports, brackets and quotes, as Azure, Apache and RFC 7239 write them.
    #[test]
    fn w57_an_address_is_found_with_ports_brackets_and_quotes() {
        for (text, address) in [
            ("203.0.113.9", "203.0.113.9"),
            (" 203.0.113.9:50711 ", "203.0.113.9"),
            ("203.0.113.9:_hidden", "203.0.113.9"),
            ("\"203.0.113.9:50711\"", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(read(text), address, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for text in [
            "",
            "unknown",
            "_x",
            "localhost",
            "203.0.113.9:",
            "203.0.113.9:99999",
            "203.0.113.9:+80",
            "203.0.113.09",
            "[203.0.113.9]",
            "[2001:db8::1",
            "[2001:db8::1]443",
            "fe80::1%eth0",
            "\"203.0.113.9",
            "203.0.113.9 203.0.113.8",
        ] {
            assert_eq!(read(text), "unknown", "{text}");
        }
        assert_eq!(Hop::read(b"\xff"), Hop::Unknown);
    }

    #[test]
    fn an_element_names_its_client_among_other_parameters() {
        let of = |text: &str| Hop::of_element(text.as_bytes());
        let v6 = Hop::Address("2001:db8::1".parse().unwrap());
        assert_eq!(of(r#"for="[2001:db8::1]:443""#), v6);
        assert_eq!(of(r#"proto=https; For = "[2001:db8::1]" ;by=x"#), v6);
        assert_eq!(of("by=203.0.113.9;proto=https"), Hop::Unknown);
        assert_eq!(of("for=_x"), Hop::Unknown);
        let host = parameter(br#"for=a;host="chat.example:8443""#, "host");
        assert_eq!(host, Some(&b"chat.example:8443"[..]));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (Hop::read(&bytes), Hop::of_element(&bytes));
        }

        /// Whatever looks like an address, with every kind of ornament.
        #[test]
        fn near_misses_never_panic(text in "[0-9a-f:.\\[\\]\"_, ;=fornk]{0,40}") {
            let _ = (Hop::read(text.as_bytes()), Hop::of_element(text.as_bytes()));
        }

        #[test]
        fn every_address_is_read_as_it_was_written(address: IpAddr, port: u16) {
            let expected = Hop::Address(address.to_canonical());
            let bracketed = match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            for text in [
                address.to_string(),
                bracketed.clone(),
                format!("{bracketed}:{port}"),
                format!("\"{bracketed}:{port}\""),
            ] {
                prop_assert_eq!(Hop::read(text.as_bytes()), expected, "{}", text);
            }
            let element = format!("by=_p;for={};proto=https", node(address));
            prop_assert_eq!(Hop::of_element(element.as_bytes()), expected, "{}", element);
        }
    }
}
