//! The shared document in memory.

use std::collections::HashMap;

use super::LocalLedger;
use crate::ledger::LedgerError;
use crate::shared::{Document, Newest, Replaced, SharedCall, SharedDocument, mark};

#[derive(Debug, Default)]
pub(super) struct Shared {
    document: Option<Document>,
    files: HashMap<String, Vec<u8>>,
}

impl Shared {
    fn number(&self) -> u64 {
        self.document.as_ref().map_or(0, |document| document.number)
    }

    fn replace(
        &mut self,
        from: u64,
        text: &[u8],
        files: &[String],
    ) -> Result<Replaced, LedgerError> {
        let number = self.number();
        if number != from {
            return Ok(Replaced::Newer(number));
        }
        if !files.iter().all(|digest| self.files.contains_key(digest)) {
            let why = "a file that the document names is not kept";
            return Err(LedgerError::Refused(why.to_owned()));
        }
        self.files.retain(|digest, _| files.contains(digest));
        self.document = Some(Document {
            number: number + 1,
            text: text.to_vec(),
            files: files.to_vec(),
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
    fn newest(&self) -> SharedCall<'_, Newest> {
        self.share(|shared| {
            let text = shared.document.as_ref().map(|document| &document.text);
            Newest {
                number: shared.number(),
                mark: text.map_or_else(String::new, |text| mark(text)),
            }
        })
    }

    fn document(&self) -> SharedCall<'_, Option<Document>> {
        self.share(|shared| shared.document.clone())
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
        from: u64,
        text: &'a [u8],
        files: &'a [String],
    ) -> SharedCall<'a, Replaced> {
        let answer = self.shared.lock().replace(from, text, files);
        Box::pin(std::future::ready(answer))
    }
}
