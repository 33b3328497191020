//! Manifests of several policies made into one, while compiling.
//!
//! A constant cannot allocate, so lists are arrays with room for as much as the host accepts and
//! texts are buffers; what does not fit is an error of the compiler. Not here: the rules for
//! manifests, which are [`Manifest::checked`](crate::Manifest::checked).

use crate::{Parameter, Scope};

/// As many entries as the host accepts of a list in a manifest.
pub(super) const LIST_MAX: usize = 64;

/// As many bytes as the host accepts of a name and of a sentence.
pub(super) const NAME_BYTES_MAX: usize = 64;
pub(super) const SENTENCE_BYTES_MAX: usize = 512;

/// Strings, each once.
#[derive(Clone, Copy)]
pub(super) struct Names {
    items: [&'static str; LIST_MAX],
    len: usize,
}

impl Names {
    pub(super) const fn of(lists: &[&[&'static str]]) -> Self {
        let mut names = Self {
            items: [""; LIST_MAX],
            len: 0,
        };
        let mut lists = lists;
        while let [list, others @ ..] = lists {
            let mut rest = *list;
            while let [name, more @ ..] = rest {
                names = names.with(name);
                rest = more;
            }
            lists = others;
        }
        names
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    const fn with(mut self, name: &'static str) -> Self {
        if self.position(name).is_none() {
            assert!(
                self.len < LIST_MAX,
                "the policies together have too many signals or reasons"
            );
            self.items[self.len] = name;
            self.len += 1;
        }
        self
    }

    pub(super) const fn position(&self, name: &str) -> Option<usize> {
        let mut rest = self.all();
        let mut at = 0;
        while let [known, more @ ..] = rest {
            if same(known, name) {
                return Some(at);
            }
            (at, rest) = (at + 1, more);
        }
        None
    }

    pub(super) const fn all(&self) -> &[&'static str] {
        self.items.split_at(self.len).0
    }
}

/// Parameters, in the order of the lists.
pub(super) struct Parameters {
    items: [Parameter; LIST_MAX],
    len: usize,
}

impl Parameters {
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    pub(super) const fn of(lists: &[&[Parameter]]) -> Self {
        const NONE: Parameter = Parameter {
            name: "",
            default: 0.0,
            min: 0.0,
            max: 0.0,
            doc: "",
        };
        let (mut items, mut len) = ([NONE; LIST_MAX], 0);
        let mut lists = lists;
        while let [list, others @ ..] = lists {
            let mut rest = *list;
            while let [parameter, more @ ..] = rest {
                assert!(
                    len < LIST_MAX,
                    "the policies together have too many parameters"
                );
                items[len] = *parameter;
                len += 1;
                rest = more;
            }
            lists = others;
        }
        Self { items, len }
    }

    pub(super) const fn all(&self) -> &[Parameter] {
        self.items.split_at(self.len).0
    }
}

/// The scopes that two policies have in common, in the order of the first.
pub(super) const fn common(a: &'static [Scope], b: &'static [Scope]) -> &'static [Scope] {
    match (includes(b, Scope::User), includes(b, Scope::Node)) {
        (true, true) => a,
        (true, false) if includes(a, Scope::User) => &[Scope::User],
        (false, true) if includes(a, Scope::Node) => &[Scope::Node],
        _ => panic!("the policies have no scope in common"),
    }
}

const fn includes(mut scopes: &[Scope], wanted: Scope) -> bool {
    while let [scope, more @ ..] = scopes {
        if *scope as u8 == wanted as u8 {
            return true;
        }
        scopes = more;
    }
    false
}

/// A text of up to so many bytes.
pub(super) struct Text<const MAX: usize> {
    bytes: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Text<MAX> {
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    pub(super) const fn of(parts: &[&str]) -> Self {
        let (mut bytes, mut len) = ([0; MAX], 0);
        let mut parts = parts;
        while let [part, others @ ..] = parts {
            let mut rest = part.as_bytes();
            while let [byte, more @ ..] = rest {
                assert!(
                    len < MAX,
                    "the names or summaries of the policies are too long together"
                );
                bytes[len] = *byte;
                len += 1;
                rest = more;
            }
            parts = others;
        }
        Self { bytes, len }
    }

    pub(super) const fn as_str(&self) -> &str {
        match str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => panic!("texts joined are a text"),
        }
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
}
