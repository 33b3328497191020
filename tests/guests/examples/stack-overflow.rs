//! `stack-overflow`: recurses without end.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{choice, named};

struct StackOverflow;

impl Policy for StackOverflow {
    const MANIFEST: Manifest = named("stack-overflow");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(vec![choice(descend(0))])
    }
}

export!(StackOverflow);

#[expect(unconditional_recursion, reason = "that is what this guest is for")]
fn descend(depth: u32) -> u32 {
    // Large frames, and not written to: the stack runs out long before the fuel does. What is used
    // after the call keeps it from becoming a loop.
    let frame = std::mem::MaybeUninit::<[u8; 4_096]>::uninit();
    let deeper = descend(std::hint::black_box(depth).wrapping_add(1));
    std::hint::black_box(&frame);
    deeper
}
