//! `memory-bomb`: allocates memory until there is none, touching each block.

use wastegate_policy::prelude::*;
use wastegate_test_guests::named;

struct MemoryBomb;

impl Policy for MemoryBomb {
    const MANIFEST: Manifest = named("memory-bomb");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let mut hoard = Vec::new();
        loop {
            // Filling a block would cost so much fuel that memory never became the problem.
            let mut block = Vec::with_capacity(64 * 1024);
            block.push(1_u8);
            hoard.push(std::hint::black_box(block));
        }
    }
}

export!(MemoryBomb);
