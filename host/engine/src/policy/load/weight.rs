//! Which sandbox a component needs, read from the component before anything is compiled.

use serde::{Deserialize, Serialize};
use wasmparser::{Instance, Parser, Payload};

use super::error::LoadError;
use crate::policy::config::Config;
use crate::policy::heavy::{HeavyReason, Weight};
use crate::policy::limits::{HEAVY_PARTS, TABLE_ELEMENTS_MAX};
use crate::policy::sandbox::{MEMORIES_PER_COMPONENT, PARTS_PER_COMPONENT};
use crate::policy::wasi;

/// Bytes of a page of linear memory.
const PAGE_BYTES: u64 = 64 * 1024;

/// What a component may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Caps {
    light_bytes: u64,
    heavy_bytes: u64,
    light_memory_bytes: u64,
    heavy_memory_bytes: u64,
}

/// What a component asks for from the start.
#[derive(Debug, Default)]
struct Parts {
    instances: usize,
    tables: usize,
    table_elements: u64,
    memories: usize,
    memory_bytes: u64,
}

/// Weighs a component, and refuses one that no sandbox would run.
///
/// # Errors
/// [`LoadError::TooLarge`] or [`LoadError::HeavyTooLarge`] by its weight; [`LoadError::Compile`] for one that asks for
/// more than even heavy ones get.
pub(super) fn of(
    component: &[u8],
    imports: &[String],
    file_bytes: usize,
    caps: &Caps,
) -> Result<Weight, LoadError> {
    let parts = Parts::of(component)?;
    let weight = parts.weight(imports, caps);
    let bytes = u64::try_from(file_bytes).unwrap_or(u64::MAX);
    let (light, heavy) = (caps.light_bytes, caps.heavy_bytes);
    match weight {
        Weight::Light if bytes > light => return Err(LoadError::TooLarge { bytes, max: light }),
        Weight::Heavy(_) if bytes > heavy => {
            return Err(LoadError::HeavyTooLarge { bytes, max: heavy });
        }
        Weight::Light | Weight::Heavy(_) => {}
    }
    match parts.excess(caps) {
        Some(excess) => Err(LoadError::Compile(excess.into())),
        None => Ok(weight),
    }
}

impl Caps {
    pub(super) const fn of(config: &Config) -> Self {
        Self {
            light_bytes: config.size_bytes_max,
            heavy_bytes: config.heavy.size_bytes_max,
            light_memory_bytes: config.memory_user_bytes,
            heavy_memory_bytes: config.heavy.memory_bytes,
        }
    }
}

impl Parts {
    /// Counts them, in the modules and instances of every level.
    fn of(component: &[u8]) -> Result<Self, LoadError> {
        let malformed = |error: wasmparser::BinaryReaderError| LoadError::Malformed(error.into());
        let mut parts = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(malformed)? {
                Payload::InstanceSection(section) => {
                    for instance in section {
                        if let Instance::Instantiate { .. } = instance.map_err(malformed)? {
                            parts.instances += 1;
                        }
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        let elements = table.map_err(malformed)?.ty.initial;
                        parts.tables += 1;
                        parts.table_elements = parts.table_elements.max(elements);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        let pages = memory.map_err(malformed)?.initial;
                        parts.memories += 1;
                        let bytes = pages.saturating_mul(PAGE_BYTES);
                        parts.memory_bytes = parts.memory_bytes.saturating_add(bytes);
                    }
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    fn weight(&self, imports: &[String], caps: &Caps) -> Weight {
        let slot = PARTS_PER_COMPONENT as usize;
        if imports.iter().any(|import| wasi::grants(import)) {
            Weight::Heavy(HeavyReason::Stubs)
        } else if self.instances > slot
            || self.tables > slot
            || self.memories > MEMORIES_PER_COMPONENT as usize
            || self.table_elements > TABLE_ELEMENTS_MAX as u64
        {
            Weight::Heavy(HeavyReason::Parts)
        } else if self.memory_bytes > caps.light_memory_bytes {
            Weight::Heavy(HeavyReason::Memory)
        } else {
            Weight::Light
        }
    }

    /// What it asks for that not even a heavy component gets.
    fn excess(&self, caps: &Caps) -> Option<String> {
        let most = HEAVY_PARTS;
        let counts = [
            (
                "core instances",
                self.instances as u64,
                most.instances as u64,
            ),
            ("tables", self.tables as u64, most.tables as u64),
            (
                "elements in a table",
                self.table_elements,
                most.table_elements as u64,
            ),
            ("memories", self.memories as u64, most.memories as u64),
            (
                "bytes of memory from the start",
                self.memory_bytes,
                caps.heavy_memory_bytes,
            ),
        ];
        counts
            .into_iter()
            .find(|(_, asked, most)| asked > most)
            .map(|(what, asked, most)| format!("it asks for {asked} {what}; the most is {most}"))
    }
}
