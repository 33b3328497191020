//! What the nodes of a cluster share besides their counts: two documents, and the files that they name.
//!
//! A document has a number, and the next one replaces it only if it was made from that very number: of two operators
//! who change it at once, one is told. Files are kept by their digest before a document names them, and are dropped
//! when the document that named them is replaced. Not here: what a document says.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::ledger::LedgerError;

/// The longest document of policies, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// The longest document of levers, bytes: about 4,000 levers, and 10 ms of a network of 1 Gbit/s.
pub const LEVERS_BYTES_MAX: usize = 1 << 20;
/// The largest file, bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// How many files a document may name.
pub const FILES_MAX: usize = 16;

/// A call to what is shared. Dropping it does not take it back.
pub type SharedCall<'a, T> = BoxFuture<'a, Result<T, LedgerError>>;

/// Which of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentName {
    /// What ranks on all nodes.
    Policies,
    /// What operators set for users on all nodes. It names no files.
    Levers,
}

/// A document as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its number: 1 for the first, one more for each that replaces it.
    pub number: u64,
    /// What it says.
    pub text: Vec<u8>,
    /// The files that it names, by digest.
    pub files: Vec<String>,
}

/// Which document is in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Newest {
    /// Its number; 0 before the first.
    pub number: u64,
    /// Of its text, by [`mark`]; empty before the first. An engine that lost its last writes gives a number twice.
    pub mark: String,
}

/// What tells a text from any other: 16 hexadecimal digits of its SHA-256.
#[must_use]
pub fn mark(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What became of a document that was to replace another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It is in force, with that number.
    Now(u64),
    /// It is not: the document has that number by now, and not the one that it was made from.
    Newer(u64),
}

/// The documents of all nodes, and their files.
pub trait SharedDocument: Debug + Send + Sync + 'static {
    /// Which document is in force. Cheap: nodes ask each second.
    fn newest(&self, name: DocumentName) -> SharedCall<'_, Newest>;

    /// The document; none before the first.
    fn document(&self, name: DocumentName) -> SharedCall<'_, Option<Document>>;

    /// A file by its digest; none if no document names it.
    fn file<'a>(&'a self, digest: &'a str) -> SharedCall<'a, Option<Vec<u8>>>;

    /// Keeps a file, so that a document may name it. The caller has checked that the digest is that of the bytes.
    fn keep<'a>(&'a self, digest: &'a str, bytes: &'a [u8]) -> SharedCall<'a, ()>;

    /// Replaces the document of the number `from` (0 for none yet) by another one that names files which are kept.
    fn replace<'a>(
        &'a self,
        name: DocumentName,
        from: u64,
        text: &'a [u8],
        files: &'a [String],
    ) -> SharedCall<'a, Replaced>;
}
