//! What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1): one challenge or several,
//! in one line or in several.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A challenge of a scheme that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        /// The URL of the token service.
        realm: String,
        service: Option<String>,
        /// What the token is to be for, where the registry says so: parts with spaces between them.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Every challenge that we know in the headers of an answer, in their order.
    pub(super) fn all(headers: &HeaderMap) -> Vec<Self> {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        let read = |line| Self::read(&String::from_utf8_lossy(line));
        lines.flat_map(|line| read(line.as_bytes())).collect()
    }

    /// Every challenge that we know in one header.
    pub(super) fn read(header: &str) -> Vec<Self> {
        let mut reader = Reader(header);
        let mut found = Vec::new();
        while let Some((scheme, parameters)) = reader.challenge() {
            found.extend(Self::known(scheme, parameters));
        }
        found
    }

    fn known(scheme: &str, parameters: Vec<(&str, String)>) -> Option<Self> {
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (name, value) in parameters {
            let place = match name.to_ascii_lowercase().as_str() {
                "realm" => &mut realm,
                "service" => &mut service,
                "scope" => &mut scope,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        Some(Self::Bearer {
            realm: realm?,
            service,
            scope,
        })
    }
}

/// What of a header is not read yet.
struct Reader<'a>(&'a str);

/// A scheme with its parameters.
type Read<'a> = (&'a str, Vec<(&'a str, String)>);

impl<'a> Reader<'a> {
    /// The next challenge; what is between two is skipped.
    fn challenge(&mut self) -> Option<Read<'a>> {
        let scheme = loop {
            self.0 = self.0.trim_start_matches([' ', '\t', ',']);
            match self.token() {
                "" if self.0.is_empty() => return None,
                // A character that begins nothing.
                "" => self.0 = skipped(self.0),
                scheme => break scheme,
            }
        };
        let mut parameters = Vec::new();
        loop {
            let before = self.0;
            self.0 = self.0.trim_start_matches([' ', '\t', ',']);
            match self.parameter() {
                Some(parameter) => parameters.push(parameter),
                None => {
                    // The next challenge, or what a scheme has in place of parameters.
                    self.0 = before;
                    self.token68();
                    return Some((scheme, parameters));
                }
            }
        }
    }

    /// `name=value` or `name="value"`; none if that is not what comes.
    fn parameter(&mut self) -> Option<(&'a str, String)> {
        let mut ahead = Reader(self.0);
        let name = ahead.token();
        let after = ahead.0.trim_start_matches([' ', '\t']);
        let value = after.strip_prefix('=')?;
        if name.is_empty() || value.trim_start_matches('=').trim_start().starts_with(',') {
            return None;
        }
        let value = value.trim_start_matches([' ', '\t']);
        let (value, rest) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find(',').unwrap_or(value.len());
                let (value, rest) = value.split_at(end);
                (value.trim().to_owned(), rest)
            }
        };
        self.0 = rest;
        Some((name, value))
    }

    /// Leaves out what stands behind a scheme and is no parameter, such as `Negotiate abc==`.
    fn token68(&mut self) {
        let rest = self.0.trim_start_matches([' ', '\t']);
        if rest.len() == self.0.len() || rest.starts_with(',') {
            return;
        }
        let end = rest.find(',').unwrap_or(rest.len());
        self.0 = rest.get(end..).unwrap_or_default();
    }

    fn token(&mut self) -> &'a str {
        let is_token =
            |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
        let end = self.0.find(|letter| !is_token(letter));
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        token
    }
}

/// All but the first character.
fn skipped(text: &str) -> &str {
    let mut letters = text.chars();
    letters.next();
    letters.as_str()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_as_registries_write_them() {
        for (header, challenge) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("Basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a/b:pull,push\"",
                Some(bearer(
                    "https://auth.example/token",
                    Some("registry.example"),
                    Some("repository:a/b:pull,push"),
                )),
            ),
            (
                "bearer realm=https://a.example/t , service=s",
                Some(bearer("https://a.example/t", Some("s"), None)),
            ),
            ("Bearer realm=\"a\\\"b\"", Some(bearer("a\"b", None, None))),
            (
                "Bearer Realm = \"a\" , SCOPE=\"aws\"",
                Some(bearer("a", None, Some("aws"))),
            ),
            ("Bearer service=\"s\"", None),
            ("Negotiate", None),
            ("", None),
        ] {
            let expected: Vec<Challenge> = challenge.into_iter().collect();
            assert_eq!(Challenge::read(header), expected, "{header}");
        }
    }

    /// P11: several in one line, with commas of both kinds.
    #[test]
    fn p11_several_challenges_in_one_header_are_all_read() {
        let both = [Challenge::Basic, bearer("r", Some("s"), None)];
        for header in [
            "Basic realm=\"x\", Bearer realm=\"r\",service=\"s\"",
            "Basic realm=\"a, Bearer realm=b\", Bearer realm=r, service=s",
            "Basic, Bearer realm=\"r\", service=\"s\"",
            "Negotiate, Basic realm=\"x\" ,, Bearer realm=\"r\", service=\"s\"",
            "Negotiate abc==, Basic realm=x, Bearer realm=r,service=s",
            "Basic realm=\"x\", charset=\"UTF-8\", Bearer realm=\"r\", service=\"s\"",
        ] {
            assert_eq!(Challenge::read(header), both, "{header}");
        }
        let mut lines = HeaderMap::new();
        lines.append(WWW_AUTHENTICATE, "Basic realm=\"x\"".parse().unwrap());
        let second = "Bearer realm=\"r\",service=\"s\"".parse().unwrap();
        lines.append(WWW_AUTHENTICATE, second);
        assert_eq!(Challenge::all(&lines), both);
    }

    proptest! {
        #[test]
        fn no_header_breaks_the_reader(header in "(Bearer |Basic )?[ -~é]{0,80}") {
            let _ = Challenge::read(&header);
        }
    }
}
