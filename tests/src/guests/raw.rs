//! Files that are not what a policy should be, and that no Rust compiler makes.
//!
//! Each is wrong in one way only: whatever can be right about it is. The WebAssembly is written as
//! text; where a guest has to speak our world it carries our contract, as a compiled one does.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, as it is.
const CONTRACT: &str = include_str!("../../../wit/policy.wit");

/// What makes a file.
pub type Make = fn() -> Vec<u8>;

/// Every file of this module by name.
pub const ALL: &[(&str, Make)] = &[
    ("empty", empty),
    ("text", text),
    ("core-without-world", core_without_world),
    ("component-without-world", component_without_world),
    ("wrong-world-version", wrong_world_version),
    ("forbidden-import", forbidden_import),
    ("unknown-core-import", unknown_core_import),
    ("two-gib-memory", two_gib_memory),
    ("start-loops", start_loops),
    ("truncated", truncated),
    ("cwasm-magic", cwasm_magic),
];

/// Nothing.
#[must_use]
pub fn empty() -> Vec<u8> {
    Vec::new()
}

/// A file of another kind.
#[must_use]
pub fn text() -> Vec<u8> {
    b"name = \"not-a-policy\"\n".to_vec()
}

/// A core module that knows nothing of our world: no contract within, other exports.
#[must_use]
pub fn core_without_world() -> Vec<u8> {
    assemble(r#"(module (memory (export "memory") 1) (func (export "rank")))"#)
}

/// A component that exports nothing.
#[must_use]
pub fn component_without_world() -> Vec<u8> {
    assemble("(component)")
}

/// A policy for a version of the contract that does not exist.
#[must_use]
pub fn wrong_world_version() -> Vec<u8> {
    let contract = CONTRACT.replace("@1.0.0", "@2.0.0");
    component(
        &Core {
            version: "2.0.0",
            ..Core::PLAIN
        },
        &[&contract],
    )
}

/// A component that wants sockets, and keeps to the contract otherwise.
#[must_use]
pub fn forbidden_import() -> Vec<u8> {
    const SOCKETS: &str = "
        package wasi:sockets@0.2.0;
        interface tcp {
            start-connect: func();
        }
    ";
    let contract = CONTRACT.replace(
        "import log;",
        "import log;\n    import wasi:sockets/tcp@0.2.0;",
    );
    let import = r#"(import "wasi:sockets/tcp@0.2.0" "start-connect" (func))"#;
    component(
        &Core {
            import,
            ..Core::PLAIN
        },
        &[SOCKETS, &contract],
    )
}

/// A core module with our world that also imports what no contract speaks of, so that no component
/// can be made of it.
#[must_use]
pub fn unknown_core_import() -> Vec<u8> {
    module(
        &Core {
            import: r#"(import "env" "steal" (func))"#,
            ..Core::PLAIN
        },
        &[CONTRACT],
    )
}

/// A policy that declares 2 GiB of memory.
#[must_use]
pub fn two_gib_memory() -> Vec<u8> {
    component(
        &Core {
            memory_pages: 32_768,
            ..Core::PLAIN
        },
        &[CONTRACT],
    )
}

/// A policy that never comes back from being instantiated.
#[must_use]
pub fn start_loops() -> Vec<u8> {
    let start = "(func $start (loop $again (br $again))) (start $start)";
    component(
        &Core {
            start,
            ..Core::PLAIN
        },
        &[CONTRACT],
    )
}

/// The first half of a good component.
#[must_use]
pub fn truncated() -> Vec<u8> {
    let whole = super::shipped("lru");
    whole.iter().copied().take(whole.len() / 2).collect()
}

/// An ELF header, as precompiled policies of the engine begin with: code that must never be taken
/// from a stranger.
#[must_use]
pub fn cwasm_magic() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\x00".to_vec();
    elf.resize(4_096, 0);
    elf
}

/// A core module that implements the world by traps, as far as it is not told otherwise.
struct Core {
    version: &'static str,
    import: &'static str,
    memory_pages: u32,
    start: &'static str,
}

impl Core {
    const PLAIN: Self = Self {
        version: "1.0.0",
        import: "",
        memory_pages: 1,
        start: "",
    };

    fn text(&self) -> String {
        let Self {
            version,
            import,
            memory_pages,
            start,
        } = self;
        format!(
            r#"(module
                {import}
                (memory (export "memory") {memory_pages})
                {start}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "wastegate:policy/ranker@{version}#describe") (result i32) unreachable)
                (func (export "wastegate:policy/ranker@{version}#rank")
                    (param i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32) (result i32) unreachable)
            )"#
        )
    }
}

/// The module with its contract embedded; the last package is the contract, others are for it.
fn module(core: &Core, packages: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let mut contract = None;
    for (i, source) in packages.iter().enumerate() {
        let parsed = resolve.push_str(format!("{i}.wit"), source);
        contract = Some(parsed.unwrap_or_else(|error| panic!("{error:?}")));
    }
    let world = contract
        .ok_or_else(|| "no package".to_owned())
        .and_then(|package| {
            resolve
                .select_world(&[package], Some("policy"))
                .map_err(|error| error.to_string())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let mut module = assemble(&core.text());
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .unwrap_or_else(|error| panic!("{error:?}"));
    module
}

fn component(core: &Core, packages: &[&str]) -> Vec<u8> {
    ComponentEncoder::default()
        .module(&module(core, packages))
        .and_then(|mut encoder| encoder.encode())
        .unwrap_or_else(|error| panic!("{error:?}"))
}

fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}
