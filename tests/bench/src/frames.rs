//! Just enough of RFC 6455 to find frames in a stream without holding them.

/// Opcodes that matter here.
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The head of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// Its first byte: whether it is the last of its message, and the opcode.
    pub(crate) first: u8,
    /// Bytes of payload.
    pub(crate) length: u64,
    /// The key, if it is masked.
    pub(crate) mask: [u8; 4],
}

impl Head {
    pub(crate) const fn opcode(self) -> u8 {
        self.first & 0x0f
    }
}

/// What was found.
pub(crate) enum Found<'a> {
    Head(Head),
    /// A part of the payload, as it is on the wire, and where in the payload it begins.
    Payload(Head, u64, &'a [u8]),
    End(Head),
}

/// Where in a stream of frames we are.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    begun: [u8; 14],
    have: usize,
    inside: Option<(Head, u64)>,
}

impl Reader {
    /// Takes bytes and tells what is in them.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut found: impl FnMut(Found<'_>)) {
        loop {
            let Some((head, done)) = self.inside else {
                let Some(head) = self.head(&mut bytes) else {
                    return;
                };
                found(Found::Head(head));
                self.inside = Some((head, 0));
                continue;
            };
            let left = usize::try_from(head.length - done).unwrap_or(usize::MAX);
            let (part, rest) = bytes.split_at(left.min(bytes.len()));
            bytes = rest;
            if !part.is_empty() {
                found(Found::Payload(head, done, part));
            }
            let done = done + part.len() as u64;
            self.inside = (done < head.length).then_some((head, done));
            if self.inside.is_some() {
                return;
            }
            found(Found::End(head));
        }
    }

    fn head(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        loop {
            if let Some(head) = self.parse() {
                self.have = 0;
                return Some(head);
            }
            let (&byte, rest) = bytes.split_first()?;
            *self.begun.get_mut(self.have)? = byte;
            self.have += 1;
            *bytes = rest;
        }
    }

    fn parse(&self) -> Option<Head> {
        let have = self.begun.get(..self.have)?;
        let (&first, &second) = (have.first()?, have.get(1)?);
        let (length, rest) = match second & 0x7f {
            126 => {
                let (length, rest) = have.get(2..)?.split_first_chunk::<2>()?;
                (u16::from_be_bytes(*length).into(), rest)
            }
            127 => {
                let (length, rest) = have.get(2..)?.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*length), rest)
            }
            length => (length.into(), have.get(2..)?),
        };
        let mask = if second & 0x80 == 0 {
            [0; 4]
        } else {
            *rest.first_chunk::<4>()?
        };
        Some(Head {
            first,
            length,
            mask,
        })
    }
}

/// Writes a head; with a mask as clients have to. The key is zero, which is a key like any other, so
/// that masking costs the load nothing.
pub(crate) fn write_head(out: &mut Vec<u8>, first: u8, length: u64, masked: bool) {
    let bit = if masked { 0x80 } else { 0 };
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => out.push(bit | short),
        (_, Ok(middle)) => {
            out.push(bit | 126);
            out.extend(middle.to_be_bytes());
        }
        _ => {
            out.push(bit | 127);
            out.extend(length.to_be_bytes());
        }
    }
    if masked {
        out.extend([0; 4]);
    }
}

/// A whole binary message of a client.
pub(crate) fn message(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 14);
    write_head(&mut out, 0x80 | BINARY, payload.len() as u64, true);
    out.extend(payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_frames_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 65_535, 65_536];
        let stream: Vec<u8> = lengths
            .iter()
            .flat_map(|&length| message(&vec![7; length]))
            .collect();
        for cut in [1, 3, 1_000, stream.len()] {
            let (mut reader, mut ended, mut bytes) = (Reader::default(), Vec::new(), 0);
            for part in stream.chunks(cut) {
                reader.feed(part, |found| match found {
                    Found::Payload(_, at, part) => {
                        assert!(at as usize + part.len() <= 65_536);
                        bytes += part.len();
                    }
                    Found::End(head) => ended.push(head.length as usize),
                    Found::Head(_) => {}
                });
            }
            assert_eq!((ended.as_slice(), bytes), (&lengths[..], 131_323));
        }
    }
}
