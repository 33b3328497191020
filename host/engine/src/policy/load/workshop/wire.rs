//! What the two processes say to each other: a head and the file one way, steps and an end the other.
//!
//! Each message is a letter, its length, and that many bytes. What is compiled has its SHA-256 before
//! it, so that half of it is never taken for all of it.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Ended;
use crate::policy::load::made::Made;
use crate::policy::load::make::Order;
use crate::policy::load::refusal::Refusal;
use crate::policy::load::step::Step;

/// The largest message: compiled code is a few times the largest file.
const MESSAGE_BYTES_MAX: u64 = 512 << 20;

const SUM_BYTES: usize = 32;

const HEAD: u8 = b'h';
const FILE: u8 = b'f';
const STEP: u8 = b's';
const REFUSED: u8 = b'r';
const MADE: u8 = b'm';

/// What the process that compiles is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) order: Order,
    pub(super) memory_bytes: u64,
    pub(super) cpu_s: u64,
}

pub(super) fn ask(to: &mut impl Write, head: &Head, bytes: &[u8]) -> io::Result<()> {
    write(to, HEAD, &serde_json::to_vec(head)?)?;
    write(to, FILE, bytes)?;
    to.flush()
}

pub(super) fn head(from: &mut impl Read) -> io::Result<Head> {
    Ok(serde_json::from_slice(&expect(from, HEAD)?)?)
}

pub(super) fn file(from: &mut impl Read) -> io::Result<Vec<u8>> {
    expect(from, FILE)
}

pub(super) fn step(to: &mut impl Write, step: Step) -> io::Result<()> {
    write(to, STEP, step.name().as_bytes())?;
    to.flush()
}

pub(super) fn refused(to: &mut impl Write, refusal: &Refusal) -> io::Result<()> {
    write(to, REFUSED, &serde_json::to_vec(refusal)?)?;
    to.flush()
}

pub(super) fn made(to: &mut impl Write, made: &Made) -> io::Result<()> {
    let code = made.to_bytes();
    let mut message = Sha256::digest(&code).to_vec();
    message.extend(code);
    write(to, MADE, &message)?;
    to.flush()
}

/// Reads to the end of what is said.
pub(super) fn answer(from: &mut impl Read, passed: &mut dyn FnMut(Step)) -> Ended {
    loop {
        let Ok((letter, content)) = read(from) else {
            return Ended::Silent;
        };
        match letter {
            STEP => {
                let known = Step::ALL.into_iter();
                let mut known = known.filter(|step| step.name().as_bytes() == content);
                known.next().into_iter().for_each(&mut *passed);
            }
            REFUSED => {
                let refusal = serde_json::from_slice::<Refusal>(&content);
                return refusal.map_or(Ended::Silent, |refusal| Ended::Refused(refusal.into()));
            }
            MADE => return whole(&content).map_or(Ended::Silent, Ended::Made),
            _ => return Ended::Silent,
        }
    }
}

fn whole(content: &[u8]) -> Option<Made> {
    let (sum, code) = content.split_at_checked(SUM_BYTES)?;
    if Sha256::digest(code).as_slice() != sum {
        return None;
    }
    Made::from_trusted(code)
}

fn write(to: &mut impl Write, letter: u8, content: &[u8]) -> io::Result<()> {
    to.write_all(&[letter])?;
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    to.write_all(&length.to_le_bytes())?;
    to.write_all(content)
}

fn read(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut letter = [0];
    from.read_exact(&mut letter)?;
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = Vec::new();
    let read = from.take(length).read_to_end(&mut content)?;
    if u64::try_from(read).ok() == Some(length) {
        Ok((letter[0], content))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn expect(from: &mut impl Read, letter: u8) -> io::Result<Vec<u8>> {
    match read(from)? {
        (found, content) if found == letter => Ok(content),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::heavy::Weight;

    #[test]
    fn an_answer_that_was_cut_is_no_answer() {
        let made = Made::of(Weight::Light, Vec::new());
        let mut written = Vec::new();
        step(&mut written, Step::Format).unwrap();
        super::made(&mut written, &made).unwrap();
        let read = |written: &[u8]| {
            let mut steps = Vec::new();
            let ended = answer(&mut &*written, &mut |step| steps.push(step));
            (matches!(ended, Ended::Made(read) if read == made), steps)
        };
        assert_eq!(read(&written), (true, vec![Step::Format]));
        for cut in 0..written.len() {
            assert!(!read(&written[..cut]).0, "{cut}");
        }
        let last = written.len() - 1;
        written[last] ^= 1;
        assert!(!read(&written).0, "changed on the way");
    }
}
