//! What is counted in a file, how much of it is accepted, and the sentence for too much.

use std::fmt;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Count {
    /// Components, modules and types inside one another.
    Nesting,
    /// Components and modules.
    Modules,
    /// Types and type declarations, of components and of modules.
    Types,
    /// Functions with code.
    Functions,
    /// Instances, aliases and canonical functions: what a component is put together with.
    Instances,
    /// Imports and exports.
    Names,
    /// Tables, memories, globals and tags.
    Stores,
    /// Data and element segments.
    Segments,
    /// Bytes of one function.
    FunctionBytes,
    /// Locals of one function.
    Locals,
    /// Blocks inside one another, in one function.
    Blocks,
    /// Loops inside one another, in one function.
    Loops,
    /// Loops inside one another times locals, in one function.
    LoopLocals,
}

impl Count {
    /// How many there are.
    pub const ALL: [Self; 13] = [
        Self::Nesting,
        Self::Modules,
        Self::Types,
        Self::Functions,
        Self::Instances,
        Self::Names,
        Self::Stores,
        Self::Segments,
        Self::FunctionBytes,
        Self::Locals,
        Self::Blocks,
        Self::Loops,
        Self::LoopLocals,
    ];

    /// The setting that bounds it, beneath `policy.load`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Nesting => "nesting_max",
            Self::Modules => "modules_max",
            Self::Types => "types_max",
            Self::Functions => "functions_max",
            Self::Instances => "instances_max",
            Self::Names => "names_max",
            Self::Stores => "stores_max",
            Self::Segments => "segments_max",
            Self::FunctionBytes => "function_bytes_max",
            Self::Locals => "locals_max",
            Self::Blocks => "blocks_max",
            Self::Loops => "loops_max",
            Self::LoopLocals => "loop_locals_max",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Nesting => "components, modules or types inside one another",
            Self::Modules => "components and modules",
            Self::Types => "types",
            Self::Functions => "functions",
            Self::Instances => "instances and aliases",
            Self::Names => "imports and exports",
            Self::Stores => "tables, memories and globals",
            Self::Segments => "data and element segments",
            Self::FunctionBytes => "bytes in one function",
            Self::Locals => "locals in one function",
            Self::Blocks => "blocks inside one another in one function",
            Self::Loops => "loops inside one another in one function",
            Self::LoopLocals => "loops inside one another times locals in one function",
        }
    }
}

/// How much of each is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Components, modules and types inside one another. Default 32.
    pub nesting_max: u64,
    /// Components and modules in a file. Default 512.
    pub modules_max: u64,
    /// Types in a file. Default 20,000.
    pub types_max: u64,
    /// Functions in a file. Default 60,000.
    pub functions_max: u64,
    /// Instances, aliases and canonical functions in a file. Default 10,000.
    pub instances_max: u64,
    /// Imports and exports in a file. Default 40,000.
    pub names_max: u64,
    /// Tables, memories, globals and tags in a file. Default 10,000.
    pub stores_max: u64,
    /// Data and element segments in a file. Default 50,000.
    pub segments_max: u64,
    /// Bytes of one function. Default 2 MiB.
    pub function_bytes_max: u64,
    /// Locals of one function. Default 5,000.
    pub locals_max: u64,
    /// Blocks inside one another. Default 5,000.
    pub blocks_max: u64,
    /// Loops inside one another. Default 100.
    pub loops_max: u64,
    /// Loops inside one another times locals, in one function: what the compiler's work grows with.
    /// Default 5,000.
    pub loop_locals_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            nesting_max: 32,
            modules_max: 512,
            types_max: 20_000,
            functions_max: 60_000,
            instances_max: 10_000,
            names_max: 40_000,
            stores_max: 10_000,
            segments_max: 50_000,
            function_bytes_max: 2 << 20,
            locals_max: 5_000,
            blocks_max: 5_000,
            loops_max: 100,
            loop_locals_max: 5_000,
        }
    }
}

impl Bounds {
    /// How much of one thing is accepted.
    #[must_use]
    pub const fn of(&self, count: Count) -> u64 {
        match count {
            Count::Nesting => self.nesting_max,
            Count::Modules => self.modules_max,
            Count::Types => self.types_max,
            Count::Functions => self.functions_max,
            Count::Instances => self.instances_max,
            Count::Names => self.names_max,
            Count::Stores => self.stores_max,
            Count::Segments => self.segments_max,
            Count::FunctionBytes => self.function_bytes_max,
            Count::Locals => self.locals_max,
            Count::Blocks => self.blocks_max,
            Count::Loops => self.loops_max,
            Count::LoopLocals => self.loop_locals_max,
        }
    }
}

/// Too much of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach {
    /// What was counted.
    pub of: Count,
    /// How much, as far as was counted.
    pub found: u64,
    /// How much is accepted.
    pub max: u64,
    /// Where, in bytes from the beginning of the file.
    pub at: usize,
}

impl std::error::Error for Breach {}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, found, max, at } = self;
        let (words, key) = (of.words(), of.key());
        write!(
            f,
            "the policy has {found} {words} at byte {at}, and at most {max} are accepted: build it from less code, or raise `policy.load.{key}`"
        )
    }
}

/// What was counted so far, or the most that was seen of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted([u64; Count::ALL.len()]);

impl Counted {
    pub(super) const fn nothing() -> Self {
        Self([0; Count::ALL.len()])
    }

    /// How many there are, or the most in one function.
    #[must_use]
    pub fn of(&self, count: Count) -> u64 {
        self.0.get(count as usize).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, count: Count, more: u64) -> u64 {
        let Some(held) = self.0.get_mut(count as usize) else {
            return 0;
        };
        *held = held.saturating_add(more);
        *held
    }

    pub(super) fn most(&mut self, count: Count, seen: u64) {
        if let Some(held) = self.0.get_mut(count as usize) {
            *held = seen.max(*held);
        }
    }
}
