//! How the gateway authenticates at a registry: not at all, as a user, or with a bearer token.
//!
//! A registry that wants to know answers with challenges (`challenge`): `Basic`, or `Bearer` with the
//! place where a token is had. We answer the first one that we can. What the token is for is what the
//! challenge says; where it says nothing, the repository that we ask for.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::challenge::Challenge;
use super::error::RegistryError;
use super::transport::{Ask, Transport};
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
    pub(super) fn header(&self) -> Option<HeaderValue> {
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

    /// Whether they are a token, which no token service has to give.
    fn are_a_token(&self) -> bool {
        self.username.is_empty() && !self.password.is_empty()
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

/// What to answer to challenges; none if there is nothing that we could. `scope` is what we want to do.
pub(super) async fn answer(
    transport: &Transport,
    challenges: &[Challenge],
    scope: &str,
    credentials: Option<&Credentials>,
) -> Result<Option<HeaderValue>, RegistryError> {
    let ours = credentials.and_then(Credentials::header);
    for challenge in challenges {
        match challenge {
            Challenge::Basic if ours.is_some() => return Ok(ours),
            Challenge::Basic => {}
            Challenge::Bearer { .. } if credentials.is_some_and(Credentials::are_a_token) => {
                return Ok(ours);
            }
            Challenge::Bearer {
                realm,
                service,
                scope: asked,
            } => {
                let asked = asked.as_deref().filter(|asked| !asked.trim().is_empty());
                let url = token_url(realm, service.as_deref(), asked.unwrap_or(scope))
                    .ok_or_else(|| transport.garbage("its token service has no URL".to_owned()))?;
                return token_from(transport, url, ours.as_ref()).await.map(Some);
            }
        }
    }
    Ok(ours)
}

async fn token_from(
    transport: &Transport,
    url: Url,
    ours: Option<&HeaderValue>,
) -> Result<HeaderValue, RegistryError> {
    transport.may_go(&url)?;
    let ask = Ask {
        accept: "application/json",
        authorization: ours.cloned(),
        bytes_max: TOKEN_BYTES_MAX,
        ..Ask::get(url, "a token")
    };
    let answer = transport.ask(&ask).await?;
    if !answer.status.is_success() {
        return Err(transport.refused(&ask.what, &answer, ours.is_some()));
    }
    let why = match token(&answer.bytes) {
        Token::Given(token) => match secret_header(&format!("Bearer {token}")) {
            Some(header) => return Ok(header),
            None => "its token service gives a token that no header can hold",
        },
        Token::Empty => "its token service gives an empty token",
        Token::Absent => "its token service gives no token",
    };
    Err(transport.garbage(why.to_owned()))
}

/// Parts of a scope are asked for one by one, as registries' own clients do.
fn token_url(realm: &str, service: Option<&str>, scope: &str) -> Option<Url> {
    let mut url = Url::parse(realm).ok()?;
    let mut query = url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    for part in scope.split_ascii_whitespace() {
        query.append_pair("scope", part);
    }
    drop(query);
    Some(url)
}

/// What a token service gave.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Given(String),
    /// There is a place for it, and nothing in it.
    Empty,
    Absent,
}

fn token(bytes: &[u8]) -> Token {
    #[derive(Deserialize)]
    struct Body {
        token: Option<String>,
        access_token: Option<String>,
    }
    let Ok(body) = serde_json::from_slice::<Body>(bytes) else {
        return Token::Absent;
    };
    let given: Vec<String> = [body.token, body.access_token]
        .into_iter()
        .flatten()
        .collect();
    let is_there = !given.is_empty();
    match given.into_iter().find(|token| !token.is_empty()) {
        Some(token) => Token::Given(token),
        None if is_there => Token::Empty,
        None => Token::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_asked_for_reading_one_repository() {
        let scope = "repository:a/lru:pull";
        let url = token_url("https://a.example/t?x=1", Some("the registry"), scope).unwrap();
        assert_eq!(
            url.as_str(),
            "https://a.example/t?x=1&service=the+registry&scope=repository%3Aa%2Flru%3Apull"
        );
        let url = token_url("https://a.example/t", None, "aws repository:b:pull").unwrap();
        assert_eq!(
            url.as_str(),
            "https://a.example/t?scope=aws&scope=repository%3Ab%3Apull"
        );
    }

    #[test]
    fn an_empty_token_is_none() {
        let given = |token: &str| Token::Given(token.to_owned());
        for (body, expected) in [
            (r#"{"access_token":"t"}"#, given("t")),
            (r#"{"token":"a","access_token":"b"}"#, given("a")),
            (r#"{"token":"","access_token":"b"}"#, given("b")),
            (r#"{"token":null,"access_token":"b"}"#, given("b")),
            (r#"{"token":"","access_token":""}"#, Token::Empty),
            (r#"{"token":""}"#, Token::Empty),
            ("{}", Token::Absent),
            ("<html>", Token::Absent),
        ] {
            assert_eq!(token(body.as_bytes()), expected, "{body}");
        }
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
}
