//! The shared documents in memory.

use std::collections::HashMap;

use super::LocalLedger;
use crate::ledger::LedgerError;
use crate::shared::{Document, DocumentName, Newest, Replaced, SharedCall, SharedDocument, mark};

#[derive(Debug, Default)]
pub(super) struct Shared {
    documents: HashMap<DocumentName, Document>,
    files: HashMap<String, Vec<u8>>,
}

impl Shared {
    fn number(&self, name: DocumentName) -> u64 {
        self.documents
            .get(&name)
            .map_or(0, |document| document.number)
    }

    fn replace(
        &mut self,
        name: DocumentName,
        from: u64,
        text: &[u8],
        files: &[String],
    ) -> Result<Replaced, LedgerError> {
        let number = self.number(name);
        if number != from {
            return Ok(Replaced::Newer(number));
        }
        if !files.iter().all(|digest| self.files.contains_key(digest)) {
            let why = "a file that the document names is not kept";
            return Err(LedgerError::Refused(why.to_owned()));
        }
        let document = Document {
            number: number + 1,
            text: text.to_vec(),
            files: files.to_vec(),
        };
        self.documents.insert(name, document);
        let documents = &self.documents;
        self.files.retain(|digest, _| {
            let mut named = documents.values().flat_map(|document| &document.files);
            named.any(|named| named == digest)
        });
        Ok(Replaced::Now(number + 1))
    }
}

impl LocalLedger {
    fn share<T: Send + 'static>(&self, call: impl FnOnce(&mut Shared) -> T) -> SharedCall<'_, T> {
        let answer = call(&mut self.shared.lock());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

impl SharedDocument for LocalLedger {
    fn newest(&self, name: DocumentName) -> SharedCall<'_, Newest> {
        self.share(move |shared| {
            let text = shared.documents.get(&name).map(|document| &document.text);
            Newest {
                number: shared.number(name),
                mark: text.map_or_else(String::new, |text| mark(text)),
            }
        })
    }

    fn document(&self, name: DocumentName) -> SharedCall<'_, Option<Document>> {
        self.share(move |shared| shared.documents.get(&name).cloned())
    }

    fn file<'a>(&'a self, digest: &'a str) -> SharedCall<'a, Option<Vec<u8>>> {
        self.share(|shared| shared.files.get(digest).cloned())
    }

    fn keep<'a>(&'a self, digest: &'a str, bytes: &'a [u8]) -> SharedCall<'a, ()> {
        self.share(|shared| {
            shared.files.insert(digest.to_owned(), bytes.to_vec());
        })
    }

    fn replace<'a>(
        &'a self,
        name: DocumentName,
        from: u64,
        text: &'a [u8],
        files: &'a [String],
    ) -> SharedCall<'a, Replaced> {
        let answer = self.shared.lock().replace(name, from, text, files);
        Box::pin(std::future::ready(answer))
    }
}
