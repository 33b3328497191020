//! What compiling comes to: machine code for each sandbox, as bytes that are kept and sent.

use crate::policy::heavy::{HeavyReason, Weight};
use crate::policy::sandbox::Layout;

/// Machine code as the engine wrote it. Only what is trusted to be that is made one: what this process
/// or a process of this program compiled, and what was kept in a directory that is ours alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Native(Vec<u8>);

/// A component, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Made {
    pub(super) weight: Weight,
    code: Vec<(Layout, Native)>,
}

impl Native {
    /// What it is made of.
    pub(in crate::policy) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Made {
    /// Of what the engine just wrote, once for each layout.
    pub(super) fn of(weight: Weight, code: Vec<(Layout, Vec<u8>)>) -> Self {
        let code = code
            .into_iter()
            .map(|(layout, code)| (layout, Native(code)));
        Self {
            weight,
            code: code.collect(),
        }
    }

    /// The code for a layout.
    pub(super) fn code(&self, layout: Layout) -> Option<&Native> {
        let mut code = self.code.iter();
        code.find(|(of, _)| *of == layout).map(|(_, code)| code)
    }

    /// As bytes: a digit for the weight, then layout, length and code of each.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![digit(self.weight)];
        for (layout, Native(code)) in &self.code {
            bytes.extend(layout.number().to_le_bytes());
            bytes.extend(u64::try_from(code.len()).unwrap_or(u64::MAX).to_le_bytes());
            bytes.extend(code);
        }
        bytes
    }

    /// From [`Made::to_bytes`]; only for bytes whose sum shows that they are the ones that were
    /// written, by somebody who is trusted. None if they are not of that form.
    pub(super) fn from_trusted(bytes: &[u8]) -> Option<Self> {
        let (&weight, mut rest) = bytes.split_first()?;
        let mut code = Vec::new();
        while !rest.is_empty() {
            let (layout, more) = rest.split_first_chunk::<8>()?;
            let (length, more) = more.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (native, more) = more.split_at_checked(length)?;
            let layout = Layout::of_number(u64::from_le_bytes(*layout));
            code.push((layout, Native(native.to_vec())));
            rest = more;
        }
        Some(Self {
            weight: of_digit(weight)?,
            code,
        })
    }
}

const fn digit(weight: Weight) -> u8 {
    match weight {
        Weight::Light => b'0',
        Weight::Heavy(HeavyReason::Stubs) => b'1',
        Weight::Heavy(HeavyReason::Parts) => b'2',
        Weight::Heavy(HeavyReason::Memory) => b'3',
    }
}

const fn of_digit(digit: u8) -> Option<Weight> {
    Some(match digit {
        b'0' => Weight::Light,
        b'1' => Weight::Heavy(HeavyReason::Stubs),
        b'2' => Weight::Heavy(HeavyReason::Parts),
        b'3' => Weight::Heavy(HeavyReason::Memory),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_the_same_after_it_was_sent_and_never_half_of_it() {
        let code = vec![
            (Layout::of_number(0), b"one".to_vec()),
            (Layout::of_number(7), b"two".to_vec()),
        ];
        let made = Made::of(Weight::Heavy(HeavyReason::Parts), code);
        let bytes = made.to_bytes();
        assert_eq!(Made::from_trusted(&bytes), Some(made));
        let first = 1 + 16 + b"one".len();
        for cut in (0..bytes.len()).filter(|cut| ![1, first].contains(cut)) {
            assert_eq!(Made::from_trusted(&bytes[..cut]), None, "{cut}");
        }
    }
}
