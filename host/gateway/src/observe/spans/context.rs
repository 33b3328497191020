//! Which span of which trace, as services say it to each other: the headers `traceparent` and `tracestate` of the
//! W3C's Trace Context.
//!
//! They are read strictly. A header that is not exactly as the standard has it is none, because two services
//! that read it in two ways would put one request into two traces.

use std::collections::BTreeSet;
use std::fmt;

/// The one version of `traceparent` that is written here.
const VERSION: u8 = 0;
/// A version that no header may have.
const VERSION_FORBIDDEN: u8 = 0xff;
/// The flag that says that a trace is kept.
const SAMPLED: u8 = 1;
/// The most members of a `tracestate` (Trace Context, section 3.3.1.1).
const MEMBERS_MAX: usize = 32;
/// The longest `tracestate` that is passed on, bytes: as many as every service has to pass on.
const STATE_BYTES_MAX: usize = 512;
/// The longest key and the longest value of a member, bytes.
const MEMBER_BYTES_MAX: usize = 256;

/// One span of one trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The id of the trace, not 0.
    pub trace: u128,
    /// The id of the span in it, not 0.
    pub span: u64,
    /// The trace is kept.
    pub is_sampled: bool,
}

impl SpanContext {
    /// What a header `traceparent` says; none if it is not one. Of a later version the beginning is read, as the
    /// standard asks for.
    #[must_use]
    pub fn read(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        let mut fields = text.split('-');
        let mut field = |digits| fields.next().and_then(|field| hex(field, digits));
        let version = u8::try_from(field(2)?).ok()?;
        let trace = field(32)?;
        let span = u64::try_from(field(16)?).ok()?;
        let flags = u8::try_from(field(2)?).ok()?;
        let has_more = fields.next().is_some();
        if version == VERSION_FORBIDDEN || (version == VERSION && has_more) {
            return None;
        }
        (trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            is_sampled: flags & SAMPLED != 0,
        })
    }
}

impl fmt::Display for SpanContext {
    /// As a header `traceparent` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace,
            span,
            is_sampled,
        } = *self;
        let flags = u8::from(is_sampled) * SAMPLED;
        write!(f, "{VERSION:02x}-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

/// A number of exactly so many digits, all of them lower case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_number = text.len() == digits && text.bytes().all(is_digit);
    is_number.then(|| u128::from_str_radix(text, 16).ok())?
}

/// What headers `tracestate` say together; none if that is not what it may be.
pub(crate) fn state<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let (mut state, mut keys) = (String::new(), BTreeSet::new());
    for header in headers {
        let text = std::str::from_utf8(header).ok()?;
        for member in text.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            let fits = is_key(key) && is_value(value) && keys.insert(key);
            if !fits || keys.len() > MEMBERS_MAX {
                return None;
            }
            if !state.is_empty() {
                state.push(',');
            }
            state.push_str(member);
        }
    }
    (!state.is_empty() && state.len() <= STATE_BYTES_MAX).then_some(state)
}

fn is_key(key: &str) -> bool {
    let starts =
        key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    starts && key.len() <= MEMBER_BYTES_MAX && key.bytes().all(fits)
}

fn is_value(value: &str) -> bool {
    let fits = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b',' && byte != b'=';
    let length = 1..=MEMBER_BYTES_MAX;
    length.contains(&value.len()) && value.bytes().all(fits) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the standard, and what its test suite sends.
    #[test]
    fn a_header_is_read_as_the_standard_has_it() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = SpanContext::read(good.as_bytes()).unwrap();
        let expected = SpanContext {
            trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            span: 0x00f0_67aa_0ba9_02b7,
            is_sampled: true,
        };
        assert_eq!((read, read.to_string()), (expected, good.to_owned()));
        let unsampled = SpanContext::read(good.replace("-01", "-00").as_bytes()).unwrap();
        assert!(!unsampled.is_sampled);
        // Other flags are not ours to know; a later version may have more behind.
        for more in ["-03", "-ff"] {
            let read = SpanContext::read(good.replace("-01", more).as_bytes());
            assert_eq!(read, Some(expected), "{more}");
        }
        for later in ["cc-", "01-"] {
            let text = format!("{later}{}-what-is-new", &good[3..]);
            assert_eq!(SpanContext::read(text.as_bytes()), Some(expected));
        }
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-1",
        ] {
            assert_eq!(SpanContext::read(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(SpanContext::read(b"\xff"), None);
    }

    #[test]
    fn a_state_is_read_as_the_standard_has_it() {
        let read = |lines: &[&str]| state(lines.iter().map(|line| line.as_bytes()));
        let two = read(&[
            "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
            " ,fw529a3039@dt=a b",
        ]);
        let joined = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,fw529a3039@dt=a b";
        assert_eq!(two.as_deref(), Some(joined));
        let many: Vec<String> = (0..33).map(|number| format!("k{number}=1")).collect();
        assert!(read(&[&many[..32].join(",")]).is_some());
        let long = format!("a={}", "v".repeat(256));
        assert!(read(&[&long]).is_some());
        let long = [long.clone(), long.replace('a', "b")].join(",");
        for bad in [
            "",
            ",",
            "a",
            "A=1",
            "=1",
            "a=",
            "a=1,a=2",
            "a=1=2",
            "a=\u{e9}",
            "-a=1",
            &many.join(","),
            &long,
            &format!("a={}", "v".repeat(257)),
        ] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
    }
}
