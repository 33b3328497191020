//! The fields of one record with separators, by RFC 4180: quotes around a field that holds a
//! separator, a line break or a quote, which is doubled there. Fields stay as they are written.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::error::LineProblem;

/// Fields of one record.
pub(super) const FIELDS_MAX: usize = 1_024;

/// Reads records, one after another.
#[derive(Debug)]
pub(super) struct Fields {
    reader: Reader,
    separator: u8,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// The fields of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl Fields {
    /// With that between fields.
    pub(super) fn new(separator: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(separator).build(),
            separator,
            text: Vec::new(),
            ends: vec![0; FIELDS_MAX],
        }
    }

    /// The fields of a record, with its line end or without.
    ///
    /// # Errors
    /// [`LineProblem`] where quotes are not as RFC 4180 has them, so that it could be read in two
    /// ways, or a record ends in its middle.
    pub(super) fn of(&mut self, record: &str) -> Result<Record<'_>, LineProblem> {
        if record.contains('"') {
            quotes(record.trim_end_matches(['\r', '\n']), self.separator)?;
        }
        self.reader.reset();
        self.text.resize(record.len() + 1, 0);
        let (mut result, read, mut written, mut fields) =
            (self.reader).read_record(record.as_bytes(), &mut self.text, &mut self.ends);
        let behind = record.get(read..).unwrap_or_default();
        if result == ReadRecordResult::InputEmpty {
            // Without a line end; nothing more says that it is over.
            let (text, ends) = (self.text.get_mut(written..), self.ends.get_mut(fields..));
            let more =
                (self.reader).read_record(&[], text.unwrap_or_default(), ends.unwrap_or_default());
            result = more.0;
            written += more.2;
            fields += more.3;
        }
        if result != ReadRecordResult::Record {
            return Err(LineProblem::TooManyFields(FIELDS_MAX));
        }
        if !behind.trim_end_matches(['\r', '\n']).is_empty() {
            return Err(LineProblem::CarriageReturn);
        }
        let text = self.text.get(..written).unwrap_or_default();
        Ok(Record {
            text: std::str::from_utf8(text).map_err(|_| LineProblem::NotText)?,
            ends: self.ends.get(..fields).unwrap_or_default(),
        })
    }
}

impl<'a> Record<'a> {
    /// How many fields it has.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; none behind the last.
    pub(super) fn get(&self, place: usize) -> Option<&'a str> {
        let begin = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(begin..*self.ends.get(place)?)
    }

    /// Every field.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

/// Whether quotes stand where RFC 4180 has them. The library takes others for a part of the field.
fn quotes(record: &str, separator: u8) -> Result<(), LineProblem> {
    let (mut bytes, mut is_begin) = (record.bytes().peekable(), true);
    while let Some(byte) = bytes.next() {
        if byte != b'"' {
            is_begin = byte == separator;
            continue;
        }
        if !is_begin {
            return Err(LineProblem::Quote);
        }
        is_begin = false;
        loop {
            match (bytes.next(), bytes.peek()) {
                (None, _) => return Err(LineProblem::Unclosed),
                (Some(b'"'), Some(b'"')) => {
                    bytes.next();
                }
                (Some(b'"'), Some(next)) if *next != separator => return Err(LineProblem::Quote),
                (Some(b'"'), _) => break,
                (Some(_), _) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(record: &str) -> Result<Vec<String>, LineProblem> {
        let mut fields = Fields::new(b',');
        let record = fields.of(record)?;
        Ok(record.iter().map(str::to_owned).collect())
    }

    #[test]
    fn fields_are_as_rfc_4180_has_them() {
        for (record, expected) in [
            ("a,b,c\r\n", vec!["a", "b", "c"]),
            ("a,b,c", vec!["a", "b", "c"]),
            ("a,,\n", vec!["a", "", ""]),
            (" a , b\n", vec![" a ", " b"]),
            ("\"a,b\",\"c\"\"d\"\n", vec!["a,b", "c\"d"]),
            ("\"two\r\nlines\",x\r\n", vec!["two\r\nlines", "x"]),
            ("\"\",\"\"", vec!["", ""]),
            ("\"\"\"\",ü", vec!["\"", "ü"]),
        ] {
            assert_eq!(read(record).unwrap(), expected, "{record:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for record in [
            "a\"b,c",
            "\"a\"b,c",
            "a, \"b\"",
            "\"a\" ,b",
            "\"a\"\"\"b\",",
        ] {
            assert_eq!(read(record), Err(LineProblem::Quote), "{record}");
        }
        assert_eq!(read("a,\"b"), Err(LineProblem::Unclosed));
        assert_eq!(read("a,b\rc,d\n"), Err(LineProblem::CarriageReturn));
        let many = ",".repeat(FIELDS_MAX);
        assert_eq!(read(&many), Err(LineProblem::TooManyFields(FIELDS_MAX)));
    }
}
