//! What the first bytes of a file say of it: zstd, which is unpacked, a byte order mark, which is
//! skipped, and what is refused under its own name, because its first line would explain nothing.

use std::io::{self, BufRead, BufReader, Cursor, Read};

/// How the first bytes of a zstd frame read.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The byte order mark of UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
/// Bytes that are looked at.
const HEAD_BYTES: u64 = 4;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A form of file that holds activity, a case or a snapshot only after another program has turned it
/// into text or zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// gzip.
    #[error("compressed with gzip; unpack it (`gzip -dc`), or pack it with zstd, which is read")]
    Gzip,
    /// bzip2.
    #[error("compressed with bzip2; unpack it (`bzip2 -dc`), or pack it with zstd, which is read")]
    Bzip2,
    /// xz.
    #[error("compressed with xz; unpack it (`xz -dc`), or pack it with zstd, which is read")]
    Xz,
    /// LZ4.
    #[error("compressed with LZ4; unpack it (`lz4 -dc`), or pack it with zstd, which is read")]
    Lz4,
    /// zip.
    #[error(
        "a zip archive; unpack it (`unzip -p`), or pack the file in it with zstd, which is read"
    )]
    Zip,
    /// Apache Parquet.
    #[error("a Parquet file; export it as CSV or as JSON lines")]
    Parquet,
    /// UTF-16, with a byte order mark or without.
    #[error("UTF-16 text; turn it into UTF-8 (`iconv -f UTF-16 -t UTF-8`)")]
    Utf16,
    /// UTF-32.
    #[error("UTF-32 text; turn it into UTF-8 (`iconv -f UTF-32 -t UTF-8`)")]
    Utf32,
}

impl Foreign {
    /// By a file's first bytes.
    fn of(head: &[u8]) -> Option<Self> {
        Some(match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9'] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X'] => Self::Xz,
            [0x04, 0x22, 0x4d, 0x18] => Self::Lz4,
            [b'P', b'K', 0x03, 0x04] => Self::Zip,
            [b'P', b'A', b'R', b'1'] => Self::Parquet,
            [0xff, 0xfe, 0, 0] | [0, 0, 0xfe, 0xff] => Self::Utf32,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Utf16,
            // Two characters of ASCII, or one, without a mark.
            [1..=127, 0, 1..=127, 0] | [0, 1..=127, 0, 1..=127] => Self::Utf16,
            [1..=127, 0, 0, 0] | [0, 0, 0, 1..=127] => Self::Utf32,
            _ => return None,
        })
    }
}

/// A file as text.
pub(crate) struct Opened<'a> {
    /// Its bytes, unpacked and without a byte order mark.
    pub(crate) reader: Box<dyn BufRead + 'a>,
    /// It was packed.
    pub(crate) is_packed: bool,
}

/// The text of a source: unpacked where it is zstd, and without a byte order mark.
///
/// # Errors
/// What the source says; or, inside, what the file is in place of text.
pub(crate) fn opened<'a>(source: impl Read + 'a) -> io::Result<Result<Opened<'a>, Foreign>> {
    let (head, rest) = beheaded(BufReader::with_capacity(BUFFER_BYTES, source))?;
    if head != ZSTD_MAGIC {
        return Ok(text(head, rest, false));
    }
    let decoder = zstd::Decoder::with_buffer(Cursor::new(head).chain(rest))?;
    let (head, rest) = beheaded(BufReader::with_capacity(BUFFER_BYTES, decoder))?;
    Ok(text(head, rest, true))
}

fn beheaded<R: BufRead>(mut reader: R) -> io::Result<(Vec<u8>, R)> {
    let mut head = Vec::new();
    (&mut reader).take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok((head, reader))
}

fn text<'a>(
    mut head: Vec<u8>,
    rest: impl BufRead + 'a,
    is_packed: bool,
) -> Result<Opened<'a>, Foreign> {
    if let Some(foreign) = Foreign::of(&head) {
        return Err(foreign);
    }
    if head.starts_with(&MARK) {
        head.drain(..MARK.len());
    }
    Ok(Opened {
        reader: Box::new(Cursor::new(head).chain(rest)),
        is_packed,
    })
}
