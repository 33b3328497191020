//! The shared documents in the engine: a hash each with its number, its text and the digests of its files, and a string
//! for each file, all in one hash slot. Files go over a connection of their own: admissions would wait behind them.

use redis::Cmd;

use super::link::{Link, failure};
use super::{Args, RedisLedger};
use crate::ledger::LedgerError;
use crate::shared::{Document, DocumentName, Newest, Replaced, SharedCall, SharedDocument, mark};

/// How long a file is kept that no document names yet: a node that died between the two leaves nothing.
const UNNAMED_KEPT_S: u64 = 600;

impl RedisLedger {
    fn document_key(&self, name: DocumentName) -> String {
        let name = match name {
            DocumentName::Policies => 'd',
            DocumentName::Levers => 'l',
        };
        format!("{}:{{shared}}{name}", self.prefix)
    }

    fn file_key(&self, digest: &str) -> String {
        format!("{}:{{shared}}f{digest}", self.prefix)
    }

    async fn read(&self, name: DocumentName) -> Result<Option<Document>, LedgerError> {
        let mut command = Cmd::new();
        command.arg("HMGET").arg(self.document_key(name));
        command.arg("number").arg("text").arg("files");
        type Found = (Option<u64>, Option<Vec<u8>>, Option<String>);
        let found: Found = carried(&self.calls, &command).await?;
        let (Some(number), Some(text), Some(files)) = found else {
            return Ok(None);
        };
        let files = files.split_ascii_whitespace().map(str::to_owned).collect();
        Ok(Some(Document {
            number,
            text,
            files,
        }))
    }
}

async fn carried<T: redis::FromRedisValue>(link: &Link, command: &Cmd) -> Result<T, LedgerError> {
    link.carry(command).await.map_err(|error| failure(&error))
}

impl SharedDocument for RedisLedger {
    fn newest(&self, name: DocumentName) -> SharedCall<'_, Newest> {
        Box::pin(async move {
            let mut command = Cmd::new();
            command.arg("HMGET").arg(self.document_key(name));
            command.arg("number").arg("mark");
            let found: (Option<u64>, Option<String>) = carried(&self.calls, &command).await?;
            Ok(Newest {
                number: found.0.unwrap_or(0),
                mark: found.1.unwrap_or_default(),
            })
        })
    }

    fn document(&self, name: DocumentName) -> SharedCall<'_, Option<Document>> {
        Box::pin(self.read(name))
    }

    fn file<'a>(&'a self, digest: &'a str) -> SharedCall<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let mut command = Cmd::new();
            command.arg("GET").arg(self.file_key(digest));
            carried(&self.files, &command).await
        })
    }

    fn keep<'a>(&'a self, digest: &'a str, bytes: &'a [u8]) -> SharedCall<'a, ()> {
        Box::pin(async move {
            let mut command = Cmd::new();
            command.arg("SET").arg(self.file_key(digest)).arg(bytes);
            command.arg("EX").arg(UNNAMED_KEPT_S);
            carried(&self.files, &command).await
        })
    }

    fn replace<'a>(
        &'a self,
        name: DocumentName,
        from: u64,
        text: &'a [u8],
        files: &'a [String],
    ) -> SharedCall<'a, Replaced> {
        Box::pin(async move {
            // Which files go is known from the document that is replaced: it is the one that was read, or nothing
            // happens.
            let before = match name {
                DocumentName::Policies => self.read(name).await?,
                DocumentName::Levers => None,
            };
            let before = before.map_or_else(Vec::new, |document| document.files);
            let dropped = before.iter().filter(|digest| !files.contains(digest));
            let dropped: Vec<String> = dropped.map(|digest| self.file_key(digest)).collect();
            let kept = files.iter().map(|digest| self.file_key(digest));
            let keys: Vec<String> = std::iter::once(self.document_key(name))
                .chain(kept)
                .chain(dropped)
                .collect();
            let args = Args::default()
                .number(from)
                .number(files.len() as u64)
                .bytes(text)
                .bytes(files.join(" "))
                .bytes(mark(text));
            let answer = self.step("replace", &keys, args, |fields| {
                let (is_in, number) = (fields.number()? == 1, fields.number()?);
                Ok(match is_in {
                    true => Replaced::Now(number),
                    false => Replaced::Newer(number),
                })
            });
            Ok(answer.await?.answer)
        })
    }
}
