//! The fence between bytes and everything that reads them: how deep, how many, how large, counted
//! before any library looks that recurses, or that works longer than a file is long.
//!
//! A validator calls itself for a type inside a type, so a file of 3 KB can end the process; a
//! compiler's work grows with loops times locals, so one of 30 KB can hold it for minutes. Here a
//! file is walked once, in a loop with a stack of its own on the heap, within the bounds that the
//! operator set. The walk takes as long as reading the file does, and allocates no more than the file
//! has bytes.
//!
//! It must never know what a policy is: it compiles into the fuzzer alone. Not here: whether a file
//! is valid, which is for the validator to say of what passed.

mod body;
mod bounds;
mod types;

use std::fmt;

pub use bounds::{Bounds, Breach, Count, Counted};
use wasmparser::{BinaryReader, BinaryReaderError, Parser, Payload};

/// How the custom sections begin whose content is a component of its own: `wit-bindgen` leaves the
/// world of a core module there.
const COMPONENT_SECTION: &str = "component-type";

/// The section of a component in which it declares types.
const COMPONENT_TYPE_SECTION: u8 = 7;

/// Why a file did not pass.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stopped {
    /// It has too much of something.
    Breach(Breach),
    /// It cannot be read.
    Malformed(BinaryReaderError),
}

/// Bytes that are to be walked, with where they are in the file and how deep.
struct Piece<'a> {
    bytes: &'a [u8],
    offset: usize,
    depth: u64,
}

/// What was counted, held against the bounds.
pub(super) struct Meter<'a> {
    bounds: &'a Bounds,
    counted: Counted,
}

/// Walks a file.
///
/// # Errors
/// [`Stopped`] at the first bound that it breaks, or where it cannot be read.
pub fn walk(bytes: &[u8], bounds: &Bounds) -> Result<Counted, Stopped> {
    let mut meter = Meter {
        bounds,
        counted: Counted::nothing(),
    };
    let mut pieces = vec![Piece {
        bytes,
        offset: 0,
        depth: 0,
    }];
    while let Some(piece) = pieces.pop() {
        walk_piece(&piece, &mut meter, &mut pieces)?;
    }
    Ok(meter.counted)
}

/// Walks one module or component with all that is nested in it, and puts aside what is packed into
/// custom sections.
fn walk_piece<'a>(
    piece: &Piece<'a>,
    meter: &mut Meter<'_>,
    aside: &mut Vec<Piece<'a>>,
) -> Result<(), Stopped> {
    let mut depth = piece.depth;
    let bytes = piece.bytes;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let at = |local: usize| piece.offset.saturating_add(local);
        match &payload {
            Payload::Version { range, .. } => {
                depth = depth.saturating_add(1);
                meter.most(Count::Nesting, depth, at(range.start))?;
                meter.add(Count::Modules, 1, at(range.start))?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) => {
                if section.name().starts_with(COMPONENT_SECTION) {
                    aside.push(Piece {
                        bytes: section.data(),
                        offset: at(section.data_offset()),
                        depth,
                    });
                }
            }
            Payload::CodeSectionEntry(body) => body::walk(body, meter, piece.offset)?,
            other => {
                if let Some((id, range)) = other.as_section()
                    && id == COMPONENT_TYPE_SECTION
                    && matches!(other, Payload::ComponentTypeSection(_))
                    && let Some(section) = bytes.get(range.clone())
                {
                    let mut reader = BinaryReader::new(section, range.start);
                    types::walk(&mut reader, meter, depth, piece.offset)?;
                }
                if let Some((count, of, range)) = counted(other) {
                    meter.add(of, count.into(), at(range.start))?;
                }
            }
        }
    }
    Ok(())
}

/// What a section holds, by its own account: reading it shows whether that is true, and the parser
/// ends where it is not.
fn counted(payload: &Payload<'_>) -> Option<(u32, Count, std::ops::Range<usize>)> {
    macro_rules! section {
        ($section:expr, $count:expr) => {
            Some(($section.count(), $count, $section.range()))
        };
    }
    match payload {
        Payload::TypeSection(s) => section!(s, Count::Types),
        Payload::CoreTypeSection(s) => section!(s, Count::Types),
        Payload::FunctionSection(s) => section!(s, Count::Functions),
        Payload::ImportSection(s) => section!(s, Count::Names),
        Payload::ExportSection(s) => section!(s, Count::Names),
        Payload::ComponentImportSection(s) => section!(s, Count::Names),
        Payload::ComponentExportSection(s) => section!(s, Count::Names),
        Payload::InstanceSection(s) => section!(s, Count::Instances),
        Payload::ComponentInstanceSection(s) => section!(s, Count::Instances),
        Payload::ComponentAliasSection(s) => section!(s, Count::Instances),
        Payload::ComponentCanonicalSection(s) => section!(s, Count::Instances),
        Payload::TableSection(s) => section!(s, Count::Stores),
        Payload::MemorySection(s) => section!(s, Count::Stores),
        Payload::GlobalSection(s) => section!(s, Count::Stores),
        Payload::TagSection(s) => section!(s, Count::Stores),
        Payload::ElementSection(s) => section!(s, Count::Segments),
        Payload::DataSection(s) => section!(s, Count::Segments),
        _ => None,
    }
}

impl Meter<'_> {
    /// Counts so many more.
    pub(super) fn add(&mut self, of: Count, more: u64, at: usize) -> Result<(), Stopped> {
        let found = self.counted.add(of, more);
        self.hold(of, found, at)
    }

    /// Notes how much there is of what is bounded for each.
    pub(super) fn most(&mut self, of: Count, found: u64, at: usize) -> Result<(), Stopped> {
        self.counted.most(of, found);
        self.hold(of, found, at)
    }

    fn hold(&self, of: Count, found: u64, at: usize) -> Result<(), Stopped> {
        let max = self.bounds.of(of);
        if found <= max {
            return Ok(());
        }
        Err(Stopped::Breach(Breach { of, found, max, at }))
    }
}

impl std::error::Error for Stopped {}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breach(breach) => breach.fmt(f),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl From<BinaryReaderError> for Stopped {
    fn from(error: BinaryReaderError) -> Self {
        Self::Malformed(error)
    }
}

#[cfg(test)]
mod tests;
