//! As much JSON as a snapshot needs, read without a dependency: a policy's project then fetches
//! nothing, and this module is not there at all when a policy is built for the sandbox.
//!
//! What is wrong is told with its line. Not here: what the values mean (`snapshot`), and writing.

use std::iter::Peekable;
use std::str::Chars;

/// Lists and objects within each other; a snapshot needs three.
const DEPTH_MAX: u32 = 16;

/// A JSON value. Objects keep the order of their members, numbers the way they are written: a seed
/// has more digits than an `f64`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads a whole document.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line: 1,
    };
    let value = reader.value(0)?;
    reader.space();
    match reader.rest.peek().copied() {
        None => Ok(value),
        Some(letter) => Err(reader.wrong(&format!("`{letter}` follows after the end"))),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: u32,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next();
        if letter == Some('\n') {
            self.line += 1;
        }
        letter
    }

    fn space(&mut self) {
        while self
            .rest
            .peek()
            .is_some_and(|letter| matches!(letter, ' ' | '\t' | '\r' | '\n'))
        {
            self.next();
        }
    }

    /// The next letter that is no space, if it is this one.
    fn skip(&mut self, wanted: char) -> bool {
        self.space();
        let found = self.rest.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.skip(wanted) {
            return Ok(());
        }
        let found = self.rest.peek().map_or_else(
            || "the end of the text".to_owned(),
            |letter| format!("`{letter}`"),
        );
        Err(self.wrong(&format!("`{wanted}` is expected, not {found}")))
    }

    fn value(&mut self, depth: u32) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(self.wrong(&format!("more than {DEPTH_MAX} lists and objects deep")));
        }
        self.space();
        match self.rest.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some('"') => self.text().map(Value::Text),
            Some('-' | '0'..='9') => self.number(),
            Some('a'..='z') => self.word(),
            Some(letter) => {
                let what = format!("`{letter}` begins no value");
                Err(self.wrong(&what))
            }
            None => Err(self.wrong("the text ends where a value is expected")),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, String> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.expect('{')?;
        if self.skip('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let name = self.text()?;
            if members.iter().any(|(other, _)| *other == name) {
                return Err(self.wrong(&format!("`{name}` is given twice")));
            }
            self.expect(':')?;
            members.push((name, self.value(depth + 1)?));
            if !self.skip(',') {
                self.expect('}')?;
                return Ok(Value::Object(members));
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<Value, String> {
        let mut items = Vec::new();
        self.expect('[')?;
        if self.skip(']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.skip(',') {
                self.expect(']')?;
                return Ok(Value::List(items));
            }
        }
    }

    fn text(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(letter) if letter >= ' ' => text.push(letter),
                _ => return Err(self.wrong("a text has no closing `\"` on its line")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        match self.next() {
            Some(letter @ ('"' | '\\' | '/')) => Ok(letter),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => {
                let digits: String = (0..4).filter_map(|_| self.next()).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                // One half of a pair is no letter; labels do without what lies beyond.
                code.and_then(char::from_u32)
                    .ok_or_else(|| self.wrong(&format!("`\\u{digits}` is no letter")))
            }
            _ => Err(self.wrong("`\\` is not followed by one of \" \\ / b f n r t u")),
        }
    }

    /// The letters up to the next that could not be part of a number or a word.
    fn run(&mut self) -> String {
        let mut run = String::new();
        while let Some(letter) = self
            .rest
            .next_if(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '.'))
        {
            run.push(letter);
        }
        run
    }

    fn number(&mut self) -> Result<Value, String> {
        let run = self.run();
        // `parse` alone would also take `+1`, `.5`, `inf` and `NaN`: none of them begins like this.
        if run.parse().is_ok_and(f64::is_finite) {
            return Ok(Value::Number(run));
        }
        Err(self.wrong(&format!("`{run}` is no number")))
    }

    fn word(&mut self) -> Result<Value, String> {
        match self.run().as_str() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            other => Err(self.wrong(&format!("`{other}` is no value; texts stand in quotes"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let text = r#" { "a": [1, -2.5e3, 0], "b": {}, "c": [], "d": null, "e": true, "f": "x\"\u00e9\n" } "#;
        let Value::Object(members) = read(text).unwrap() else {
            panic!("an object");
        };
        let values: Vec<Value> = members.into_iter().map(|(_, value)| value).collect();
        let numbers = ["1", "-2.5e3", "0"].map(|number| Value::Number(number.to_owned()));
        assert_eq!(
            values,
            [
                Value::List(numbers.to_vec()),
                Value::Object(Vec::new()),
                Value::List(Vec::new()),
                Value::Null,
                Value::Bool(true),
                Value::Text("x\"é\n".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let deep = "[".repeat(40);
        let cases = [
            ("", "line 1: the text ends where a value is expected"),
            ("{\n  \"a\": 1,\n}", "line 3: `\"` is expected, not `}`"),
            ("[1 2]", "line 1: `]` is expected, not `2`"),
            (
                "[1,\n 2",
                "line 2: `]` is expected, not the end of the text",
            ),
            ("{\"a\": 1, \"a\": 2}", "line 1: `a` is given twice"),
            ("nan", "line 1: `nan` is no value; texts stand in quotes"),
            ("-", "line 1: `-` is no number"),
            ("1e999", "line 1: `1e999` is no number"),
            ("\"a", "line 1: a text has no closing `\"` on its line"),
            (
                "\"\\x\"",
                "line 1: `\\` is not followed by one of \" \\ / b f n r t u",
            ),
            ("\"\\ud800\"", "line 1: `\\ud800` is no letter"),
            ("1 2", "line 1: `2` follows after the end"),
            ("#", "line 1: `#` begins no value"),
            (&deep, "line 1: more than 16 lists and objects deep"),
        ];
        for (text, told) in cases {
            assert_eq!(read(text).unwrap_err(), told, "{text}");
        }
    }
}
