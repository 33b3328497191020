//! The code of one function: its size, its locals, and how deep its blocks go.

use wasmparser::{FunctionBody, Operator};

use super::{Count, Meter, Stopped};

/// Walks a function. `offset` is where its module's bytes begin.
pub(super) fn walk(
    body: &FunctionBody<'_>,
    meter: &mut Meter<'_>,
    offset: usize,
) -> Result<(), Stopped> {
    let range = body.range();
    let at = offset.saturating_add(range.start);
    let bytes = u64::try_from(range.len()).unwrap_or(u64::MAX);
    meter.most(Count::FunctionBytes, bytes, at)?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader()? {
        let (count, _) = group?;
        locals = locals.saturating_add(count.into());
        meter.most(Count::Locals, locals, at)?;
    }
    // Of each block that is open, whether it is a loop.
    let mut open: Vec<bool> = Vec::new();
    let mut loops = 0_u64;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let position = operators.original_position();
        match operators.read()? {
            Operator::Loop { .. } => {
                open.push(true);
                loops += 1;
                let at = offset.saturating_add(position);
                meter.most(Count::Loops, loops, at)?;
                meter.most(Count::LoopLocals, loops.saturating_mul(locals), at)?;
                deep(&open, meter, at)?;
            }
            Operator::Block { .. }
            | Operator::If { .. }
            | Operator::Try { .. }
            | Operator::TryTable { .. } => {
                open.push(false);
                deep(&open, meter, offset.saturating_add(position))?;
            }
            Operator::End => loops -= u64::from(open.pop() == Some(true)),
            Operator::Delegate { .. } => {
                open.pop();
            }
            _ => {}
        }
    }
    Ok(())
}

fn deep(open: &[bool], meter: &mut Meter<'_>, at: usize) -> Result<(), Stopped> {
    let deep = u64::try_from(open.len()).unwrap_or(u64::MAX);
    meter.most(Count::Blocks, deep, at)
}
