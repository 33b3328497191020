//! Characters that have no place in a name, because nobody sees them, because they look like a space, or
//! because they change how the others are seen.
//!
//! The list is Unicode's: the general categories Cc, Cf, Zl and Zp, Zs but for the plain space, and what
//! is drawn as nothing (`Default_Ignorable_Code_Point`). It is written out here, so that what is a name
//! does not change with the version of a library.

use std::fmt;

/// Why a character is in no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// A control character.
    Control,
    /// It turns the direction in which text is read.
    Direction,
    /// It ends a line or a paragraph.
    Separator,
    /// It looks like a space and is none, such as U+00A0.
    Space,
    /// It is drawn as nothing.
    Invisible,
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "a control character",
            Self::Direction => "a character that turns the direction of text",
            Self::Separator => "a separator of lines",
            Self::Space => "a character that looks like a space",
            Self::Invisible => "an invisible character",
        })
    }
}

/// What is wrong with a character in a name, if something is.
pub(super) fn unseen(c: char) -> Option<Unseen> {
    if c.is_control() {
        return Some(Unseen::Control);
    }
    if c.is_ascii() {
        return None;
    }
    match c {
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(Unseen::Direction)
        }
        '\u{2028}' | '\u{2029}' => Some(Unseen::Separator),
        // The last is the Braille pattern without dots.
        '\u{a0}'
        | '\u{1680}'
        | '\u{2000}'..='\u{200a}'
        | '\u{202f}'
        | '\u{205f}'
        | '\u{3000}'
        | '\u{2800}' => Some(Unseen::Space),
        '\u{ad}'
        | '\u{34f}'
        | '\u{600}'..='\u{605}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Some(Unseen::Invisible),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_what_is_not_seen_is_known() {
        for (kind, characters) in [
            (Unseen::Control, "\0\t\n\u{7f}\u{85}\u{9b}"),
            (
                Unseen::Direction,
                "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}",
            ),
            (Unseen::Separator, "\u{2028}\u{2029}"),
            (
                Unseen::Space,
                "\u{a0}\u{1680}\u{2003}\u{202f}\u{3000}\u{2800}",
            ),
            (
                Unseen::Invisible,
                "\u{ad}\u{200b}\u{200d}\u{feff}\u{3164}\u{fe0f}\u{e0041}\u{fff9}",
            ),
        ] {
            for c in characters.chars() {
                assert_eq!(unseen(c), Some(kind), "{c:?}");
            }
        }
        for c in " aZ~%\u{e9}\u{4e2d}\u{ff21}\u{1f600}\u{5d0}\u{301}".chars() {
            assert_eq!(unseen(c), None, "{c:?}");
        }
    }

    /// Where the standard library knows white space, none but the plain one is left.
    #[test]
    fn no_white_space_but_the_plain_one_is_in_a_name() {
        let all = (0..=0x0010_ffff).filter_map(char::from_u32);
        for c in all.filter(|c| c.is_whitespace() && *c != ' ') {
            assert!(unseen(c).is_some(), "{c:?}");
        }
    }
}
