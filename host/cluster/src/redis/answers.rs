//! The answers of the ledger's steps, read.

use redis::Value;

use crate::ledger::{
    BeatAnswer, BeatVerdict, EnterAnswer, Epoch, HeldEntry, Holdings, Inbox, KeyHash, LeaveAnswer,
    LedgerError, LendAnswer, MessagesRead, NodeMessage, NodePart, NodeSeen, PublishAnswer,
    ReassertAnswer, number,
};

type Read<T> = Result<T, LedgerError>;

/// The elements of an answer, one after the other.
pub(super) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Read<Self> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(LedgerError::Malformed("not a list")),
        }
    }

    fn next(&mut self) -> Read<Value> {
        self.0
            .next()
            .ok_or(LedgerError::Malformed("a list that ends early"))
    }

    /// A number, also one that stands as text.
    pub(super) fn number(&mut self) -> Read<u64> {
        let wrong = LedgerError::Malformed("not a number");
        match self.next()? {
            Value::Int(number) => u64::try_from(number).map_err(|_| wrong),
            Value::BulkString(text) => {
                let text = std::str::from_utf8(&text).ok();
                text.and_then(|text| text.parse().ok()).ok_or(wrong)
            }
            _ => Err(wrong),
        }
    }

    fn count(&mut self) -> Read<u32> {
        u32::try_from(self.number()?).map_err(|_| LedgerError::Malformed("not a count"))
    }

    fn bytes(&mut self) -> Read<Vec<u8>> {
        bytes(self.next()?)
    }

    fn list(&mut self) -> Read<Self> {
        Self::of(self.next()?)
    }

    fn parts(&mut self) -> Read<Vec<NodePart>> {
        NodePart::read_all(&self.bytes()?)
            .ok_or(LedgerError::Malformed("not the parts of a manager"))
    }

    fn key(&mut self) -> Read<KeyHash> {
        key(&self.bytes()?)
    }

    /// Entries, sorted by key: a hash of the engine has no order.
    fn entries(&mut self) -> Read<Vec<HeldEntry>> {
        let mut rows = self.list()?;
        let mut entries = Vec::new();
        while !rows.0.as_slice().is_empty() {
            let (key, parts) = (rows.key()?, rows.parts()?);
            entries.push(HeldEntry { key, parts });
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        Ok(entries)
    }

    pub(super) fn entered(&mut self) -> Read<EnterAnswer> {
        Ok(match self.number()? {
            0 => EnterAnswer::Entered {
                held: self.count()?,
                others: self.parts()?,
                taken: self.count()? as usize,
            },
            1 => EnterAnswer::Full {
                limit: self.count()?,
                entries: self.entries()?,
            },
            2 => EnterAnswer::Blocked {
                until_ms: Some(self.number()?).filter(|until| *until > 0),
            },
            3 => EnterAnswer::Late,
            _ => return Err(LedgerError::Malformed("no outcome of `enter`")),
        })
    }

    pub(super) fn left(&mut self) -> Read<LeaveAnswer> {
        Ok(LeaveAnswer {
            gone: self.number()? == 1,
            held: self.count()?,
        })
    }

    pub(super) fn published(&mut self) -> Read<PublishAnswer> {
        let held = self.count()?;
        let lost = self.list()?.0.map(|it| key(&bytes(it)?));
        Ok(PublishAnswer {
            held,
            lost: lost.collect::<Read<_>>()?,
        })
    }

    pub(super) fn reasserted(&mut self) -> Read<ReassertAnswer> {
        Ok(match self.number()? {
            0 => ReassertAnswer::Asserted {
                held: self.count()?,
                over: self.count()?,
            },
            3 => ReassertAnswer::Late,
            _ => return Err(LedgerError::Malformed("no outcome of `reassert`")),
        })
    }

    pub(super) fn holdings(&mut self) -> Read<Holdings> {
        let limit = self.count()?;
        let block = match self.bytes()?.as_slice() {
            b"" => None,
            b"0" => Some(None),
            till => Some(Some(
                std::str::from_utf8(till)
                    .ok()
                    .and_then(|till| till.parse().ok())
                    .ok_or(LedgerError::Malformed("no end of a block"))?,
            )),
        };
        Ok(Holdings {
            limit,
            block,
            entries: self.entries()?,
        })
    }

    pub(super) fn lent(&mut self) -> Read<LendAnswer> {
        Ok(match self.number()? {
            0 => LendAnswer::Lent(self.number()?),
            1 => LendAnswer::Running(self.number()?),
            2 => LendAnswer::CoolingDown(self.number()?),
            _ => return Err(LedgerError::Malformed("no outcome of `lend`")),
        })
    }

    pub(super) fn beaten(&mut self) -> Read<BeatAnswer> {
        let verdict = match self.number()? {
            0 => BeatVerdict::Known,
            1 => BeatVerdict::New,
            2 => BeatVerdict::Dead,
            3 => BeatVerdict::NameTaken,
            _ => return Err(LedgerError::Malformed("no outcome of `beat`")),
        };
        let run = String::from_utf8_lossy(&self.bytes()?).into_owned();
        let mut rows = self.list()?;
        let mut nodes = Vec::new();
        while !rows.0.as_slice().is_empty() {
            let (name, value) = (rows.bytes()?, rows.bytes()?);
            let wrong = LedgerError::Malformed("not a node");
            let (epoch, rest) = value.split_first_chunk::<8>().ok_or(wrong.clone())?;
            let (beat, note) = rest.split_at_checked(6).ok_or(wrong)?;
            nodes.push(NodeSeen {
                name: String::from_utf8_lossy(&name).into_owned(),
                epoch: Epoch::from_bytes(*epoch),
                beat_ms: number(beat),
                // A newer node may write more, or otherwise: it lives all the same.
                note: serde_json::from_slice(note).unwrap_or_default(),
            });
        }
        nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let dead = self.bytes()?;
        let (dead, _) = dead.as_chunks::<8>();
        Ok(BeatAnswer {
            verdict,
            run,
            nodes,
            dead: dead.iter().map(|epoch| Epoch::from_bytes(*epoch)).collect(),
        })
    }
}

fn bytes(value: Value) -> Read<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(LedgerError::Malformed("not bytes")),
    }
}

fn key(bytes: &[u8]) -> Read<KeyHash> {
    let key = bytes.try_into().map(KeyHash::from_bytes);
    key.map_err(|_| LedgerError::Malformed("not a manager's key"))
}

/// What `XREAD` found: a list of streams, each with its name and its messages; nothing if there are none. With
/// RESP3 it would be a map, which connections here do not ask for.
pub(super) fn inbox(value: Value, commands: &str, mut read: MessagesRead) -> Read<Inbox> {
    let mut inbox = Inbox::default();
    if value != Value::Nil {
        let mut found = [(true, Vec::new()), (false, Vec::new())];
        for stream in Fields::of(value)?.0 {
            let mut stream = Fields::of(stream)?;
            let is_commands = stream.bytes()? == commands.as_bytes();
            for message in stream.list()?.0 {
                let mut message = Fields::of(message)?;
                let id = String::from_utf8_lossy(&message.bytes()?).into_owned();
                let text = message.list()?.0.nth(1).map(bytes).transpose()?;
                let known = text.and_then(|text| serde_json::from_slice::<NodeMessage>(&text).ok());
                let list = found.iter_mut().find(|(is, _)| *is == is_commands);
                match (known, list) {
                    (Some(known), Some((_, list))) => list.push(known),
                    _ => inbox.strange += 1,
                }
                *(if is_commands {
                    &mut read.command
                } else {
                    &mut read.answer
                }) = id;
            }
        }
        inbox.messages = found.into_iter().flat_map(|(_, list)| list).collect();
    }
    inbox.read = read;
    Ok(inbox)
}
