//! How the gateway authenticates at a registry: not at all, as a user, or with a bearer token.
//!
//! A registry that wants to know answers 401 with a challenge: `Basic`, or `Bearer` with the place
//! where a token is had. The scope that we ask for is ours, not what the challenge says: reading
//! one repository.

use std::fmt;

use reqwest::Url;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::error::RegistryError;
use super::transport::{Answer, Ask, Transport};
use wastegate_core::types::Secret;

/// How much of a token service's answer is read, bytes.
const TOKEN_BYTES_MAX: u64 = 64 * 1_024;

/// What the operator set. Never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// The user; empty for a bearer token.
    pub username: String,
    /// The password, or the token; empty without authentication.
    pub password: Secret,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &self.password)
            .finish()
    }
}

impl Credentials {
    /// The `Authorization` header of a user or a bearer; none without authentication.
    fn header(&self) -> Option<HeaderValue> {
        if self.password.is_empty() {
            return None;
        }
        let password = self.password.reveal();
        let value = if self.username.is_empty() {
            format!("Bearer {password}")
        } else {
            let pair = format!("{}:{password}", self.username);
            format!("Basic {}", base64(pair.as_bytes()))
        };
        secret_header(&value)
    }
}

fn secret_header(value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let padded = chunk.iter().copied().chain([0, 0]).take(3);
        let bits = padded.fold(0_u32, |bits, byte| bits << 8 | u32::from(byte));
        for place in 0..4_usize {
            let at = bits >> (18 - 6 * place) & 63;
            let letter = ALPHABET.get(at as usize).copied().unwrap_or(b'=');
            text.push(if place > chunk.len() {
                '='
            } else {
                letter.into()
            });
        }
    }
    text
}

/// What a registry wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Challenge {
    /// Reads the header of that name: the first challenge in it that we know.
    pub(super) fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        for (name, value) in parameters(rest) {
            if name.eq_ignore_ascii_case("realm") {
                realm.get_or_insert(value);
            } else if name.eq_ignore_ascii_case("service") {
                service.get_or_insert(value);
            }
        }
        Some(Self::Bearer {
            realm: realm?,
            service,
        })
    }
}

/// `name="value", name=value`, as far as it is that.
fn parameters(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']);
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.trim().to_owned(), after)
            }
        };
        found.push((name, value));
        rest = after;
    }
    found
}

/// What stands before the closing quote, and what stands behind it.
fn unquoted(text: &str) -> (String, &str) {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => {
                value.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// What to answer to a challenge; none if there is nothing that we could.
pub(super) async fn answer(
    transport: &Transport,
    asked: &Answer,
    repository: &str,
    credentials: Option<&Credentials>,
) -> Result<Option<HeaderValue>, RegistryError> {
    let ours = credentials.and_then(Credentials::header);
    let headers = asked.headers.get_all(WWW_AUTHENTICATE).iter();
    let challenge = headers
        .filter_map(|header| Challenge::read(header.to_str().ok()?))
        .next();
    let Some(Challenge::Bearer { realm, service }) = challenge else {
        return Ok(ours);
    };
    // Who brings a token needs none from the service.
    if credentials.is_some_and(|credentials| credentials.username.is_empty()) && ours.is_some() {
        return Ok(ours);
    }
    let url = token_url(&realm, service.as_deref(), repository)
        .ok_or_else(|| transport.garbage("its token service has no URL".to_owned()))?;
    transport.may_go(&url)?;
    let ask = Ask {
        url,
        what: "a token".to_owned(),
        accept: "application/json",
        authorization: ours.as_ref(),
        bytes_max: TOKEN_BYTES_MAX,
        remedy: "",
    };
    let answer = transport.get(&ask).await?;
    if !answer.status.is_success() {
        return Err(transport.refused(&ask.what, answer.status, &answer.bytes));
    }
    let token = token(&answer.bytes)
        .ok_or_else(|| transport.garbage("its token service gives no token".to_owned()))?;
    Ok(secret_header(&format!("Bearer {token}")))
}

fn token_url(realm: &str, service: Option<&str>, repository: &str) -> Option<Url> {
    let mut url = Url::parse(realm).ok()?;
    let mut query = url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    query.append_pair("scope", &format!("repository:{repository}:pull"));
    drop(query);
    Some(url)
}

fn token(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        token: Option<String>,
        access_token: Option<String>,
    }
    let body: Body = serde_json::from_slice(bytes).ok()?;
    body.token.or(body.access_token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn challenges_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
            })
        };
        for (header, challenge) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a/b:pull\"",
                bearer("https://auth.example/token", Some("registry.example")),
            ),
            (
                "bearer realm=https://a.example/t , service=s",
                bearer("https://a.example/t", Some("s")),
            ),
            ("Bearer realm=\"a\\\"b\"", bearer("a\"b", None)),
            ("Bearer service=\"s\"", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(Challenge::read(header), challenge, "{header}");
        }
    }

    #[test]
    fn the_token_is_asked_for_reading_one_repository() {
        let url = token_url("https://a.example/t?x=1", Some("the registry"), "a/lru").unwrap();
        assert_eq!(
            url.as_str(),
            "https://a.example/t?x=1&service=the+registry&scope=repository%3Aa%2Flru%3Apull"
        );
        assert_eq!(token(b"{\"access_token\":\"t\"}").as_deref(), Some("t"));
        assert_eq!(token(b"{}"), None);
    }

    #[test]
    fn nobody_sees_a_password() {
        let credentials = Credentials {
            username: "ann".to_owned(),
            password: Secret::new("hunter2"),
        };
        let header = credentials.header().unwrap();
        // From RFC 7617's recipe: base64 of `ann:hunter2`.
        assert_eq!(header.to_str().unwrap(), "Basic YW5uOmh1bnRlcjI=");
        for shown in [format!("{credentials:?}"), format!("{header:?}")] {
            assert!(
                !shown.contains("hunter2") && !shown.contains("YW5u"),
                "{shown}"
            );
        }
        assert_eq!(Credentials::default().header(), None);
    }

    #[test]
    fn base64_as_in_its_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    proptest! {
        #[test]
        fn no_header_breaks_the_reader(header in "(Bearer |Basic )?[ -~é]{0,80}") {
            let _ = Challenge::read(&header);
        }
    }
}
