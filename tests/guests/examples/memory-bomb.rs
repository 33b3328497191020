//! `memory-bomb`: allocates and touches memory until there is none.

use wastegate_policy::prelude::*;
use wastegate_test_guests::named;

struct MemoryBomb;

impl Policy for MemoryBomb {
    const MANIFEST: Manifest = named("memory-bomb");

    fn rank(_call: &Call, _rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1_u8; 64 * 1024]));
        }
    }
}

export!(MemoryBomb);
