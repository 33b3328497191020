//! The allocator of a policy in the sandbox: a bump arena in the instance's own static memory.
//!
//! An instance lives for one call, so nothing has to be given back, and an ordinary allocator costs
//! more than the ranking: growing memory is a system call in the host that stops its other threads.
//! The arena hands out zeroed static memory from the bottom up; only the last block is ever
//! extended, shrunk or taken back, which covers a vector that grows. A call too large for it (some
//! thousand rows) grows the memory in large steps.
//!
//! The arithmetic is [`Cursor`], which is safe and tested natively; what has to be unsafe is below
//! it. There is no native allocator here.

use std::alloc::Layout;

/// Where the next block comes from: the free addresses from `top` up to `end`.
#[derive(Debug)]
struct Cursor {
    top: usize,
    end: usize,
}

impl Cursor {
    /// A block for the layout, or `None` if there is no room.
    fn take(&mut self, layout: Layout) -> Option<usize> {
        let mask = layout.align() - 1;
        let start = self.top.checked_add(mask)? & !mask;
        let top = start.checked_add(layout.size())?;
        if top > self.end {
            return None;
        }
        self.top = top;
        Some(start)
    }

    /// Whether the block of `old` bytes at `start` is the last one.
    fn is_last(&self, start: usize, old: usize) -> bool {
        start.checked_add(old) == Some(self.top)
    }

    /// Makes a block larger or smaller where it is; false if it has to move.
    fn resize(&mut self, start: usize, old: usize, new: usize) -> bool {
        if !self.is_last(start, old) {
            return new <= old;
        }
        match start.checked_add(new) {
            Some(top) if top <= self.end => {
                self.top = top;
                true
            }
            _ => false,
        }
    }

    /// Takes new memory into use. What is left of the old is lost unless the new follows on it.
    fn extend(&mut self, start: usize, len: usize) {
        if start != self.end {
            self.top = start;
        }
        self.end = start.saturating_add(len);
    }
}

#[cfg(target_arch = "wasm32")]
pub use sandbox::Arena;

#[cfg(target_arch = "wasm32")]
mod sandbox {
    #![expect(
        unsafe_code,
        reason = "`GlobalAlloc` is an unsafe trait and owns raw memory"
    )]

    use std::alloc::{GlobalAlloc, Layout};
    use std::arch::wasm32::memory_grow;
    use std::cell::UnsafeCell;
    use std::ptr;

    use super::Cursor;

    /// With the stack (64 KiB) and a policy's static data this fills four pages, which holds the
    /// columns and the answer of a call with a thousand rows. Untouched pages cost nothing.
    const ARENA_BYTES: usize = 184 * 1024;

    const PAGE_BYTES: usize = 64 * 1024;

    /// Memory grows by half a MiB at least, if the host allows that.
    const STEP_PAGES: usize = 8;

    #[repr(C, align(16))]
    struct Block(UnsafeCell<[u8; ARENA_BYTES]>);

    // SAFETY: the module is built without threads, so nothing is ever shared between two.
    unsafe impl Sync for Block {}

    static BLOCK: Block = Block(UnsafeCell::new([0; ARENA_BYTES]));

    /// The allocator; set by [`export!`](crate::export!).
    #[derive(Debug)]
    pub struct Arena(UnsafeCell<Cursor>);

    // SAFETY: as above, the module has no threads.
    unsafe impl Sync for Arena {}

    impl Arena {
        /// An allocator that has handed out nothing yet. Only one per module can be the global one.
        #[expect(
            clippy::new_without_default,
            reason = "a `static` needs a const constructor"
        )]
        #[must_use]
        pub const fn new() -> Self {
            Self(UnsafeCell::new(Cursor { top: 0, end: 0 }))
        }

        #[expect(
            clippy::mut_from_ref,
            reason = "an allocator is called through `&self`"
        )]
        fn cursor(&self) -> &mut Cursor {
            // SAFETY: no method calls another one while it holds this, and there are no threads.
            let cursor = unsafe { &mut *self.0.get() };
            if cursor.end == 0 {
                cursor.extend(BLOCK.0.get().expose_provenance(), ARENA_BYTES);
            }
            cursor
        }
    }

    /// Makes room for a block of this size, in one large step or, failing that, a small one.
    fn grow(cursor: &mut Cursor, bytes: usize) -> bool {
        let least = bytes.div_ceil(PAGE_BYTES);
        for pages in [least.max(STEP_PAGES), least] {
            let before = memory_grow::<0>(pages);
            if before != usize::MAX {
                cursor.extend(before * PAGE_BYTES, pages * PAGE_BYTES);
                return true;
            }
        }
        false
    }

    // SAFETY: blocks come from `Cursor::take`, which never overlaps two, from memory that this
    // arena alone owns: the static block, and pages that it grew itself.
    unsafe impl GlobalAlloc for Arena {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let cursor = self.cursor();
            if let Some(start) = cursor.take(layout) {
                return ptr::with_exposed_provenance_mut(start);
            }
            if !grow(cursor, layout.size().saturating_add(layout.align())) {
                return ptr::null_mut();
            }
            cursor
                .take(layout)
                .map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.cursor().resize(block.addr(), layout.size(), 0);
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, new: usize) -> *mut u8 {
            let (start, old) = (block.addr(), layout.size());
            let cursor = self.cursor();
            if cursor.resize(start, old, new) {
                return block;
            }
            // The last block may follow on into memory that is grown for it.
            if cursor.is_last(start, old) {
                let fits = grow(cursor, new - old) && cursor.resize(start, old, new);
                if fits {
                    return block;
                }
            }
            // SAFETY: `new` comes from a caller who keeps the rules of `GlobalAlloc::realloc`, so
            // it makes a valid layout; both blocks hold at least `old` bytes and do not overlap.
            unsafe {
                let moved = self.alloc(Layout::from_size_align_unchecked(new, layout.align()));
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(block, moved, old);
                }
                moved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_follow_each_other_aligned() {
        let mut cursor = Cursor { top: 100, end: 200 };
        assert_eq!(cursor.take(layout(3, 1)), Some(100));
        assert_eq!(cursor.take(layout(8, 8)), Some(104));
        assert_eq!(cursor.take(layout(88, 1)), Some(112));
        assert_eq!(cursor.take(layout(1, 1)), None);
        assert_eq!(cursor.top, 200);
    }

    #[test]
    fn a_block_that_does_not_fit_leaves_everything_as_it_was() {
        let mut cursor = Cursor { top: 100, end: 200 };
        assert_eq!(cursor.take(layout(101, 1)), None);
        assert_eq!(cursor.take(layout(isize::MAX as usize - 15, 16)), None);
        assert_eq!(cursor.top, 100);
    }

    #[test]
    fn only_the_last_block_is_resized_in_place() {
        let mut cursor = Cursor { top: 0, end: 100 };
        let first = cursor.take(layout(10, 1)).unwrap();
        assert!(cursor.resize(first, 10, 40), "the last block grows");
        let second = cursor.take(layout(10, 1)).unwrap();
        assert_eq!(second, 40);
        assert!(
            !cursor.resize(first, 40, 41),
            "an earlier one would overlap the next"
        );
        assert!(cursor.resize(first, 40, 1), "but it may shrink");
        assert_eq!(cursor.top, 50, "which gives nothing back");
        assert!(!cursor.resize(second, 10, 61), "there is an end");
        assert!(
            cursor.resize(second, 10, 0),
            "the last one goes back entirely"
        );
        assert_eq!(cursor.top, 40);
    }

    #[test]
    fn new_memory_follows_on_or_starts_afresh() {
        let mut cursor = Cursor { top: 150, end: 200 };
        cursor.extend(200, 100);
        assert_eq!((cursor.top, cursor.end), (150, 300));
        cursor.extend(1_000, 100);
        assert_eq!((cursor.top, cursor.end), (1_000, 1_100));
    }
}
