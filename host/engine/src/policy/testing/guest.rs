//! A guest written by hand in WAT against the canonical ABI: a core module with our world embedded,
//! so that it takes the way of a real guest through the loader.

use std::sync::Arc;

use wit_component::StringEncoding;
use wit_parser::Resolve;

use super::engine;
use crate::policy::manifest::{Parameter, RawManifest};
use crate::policy::{LoadError, Params, Policy, Program, load};
use wastegate_core::types::Scope;

/// The contract as guests are built against.
pub const WIT: &str = include_str!("../../../wit/policy.wit");

/// Where the manifest and its texts lie in a guest's memory.
const DATA: u32 = 4_096;

/// Answers the row with the largest value in the first column, that value being its score.
pub(super) const LARGEST: &str = "
    (local $n i32) (local $i i32) (local $best i32) (local $out i32) (local $at i32)
    (local $value f64) (local $top f64)
    (local.set $n (call $rows (local.get $columns)))
    (local.set $at (i32.load (local.get $columns)))
    (local.set $top (f64.const -inf))
    (block $done (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $value (f64.load (local.get $at)))
        (if (f64.gt (local.get $value) (local.get $top)) (then
            (local.set $top (local.get $value))
            (local.set $best (local.get $i))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.set $out (call $alloc (i32.const 24)))
    (i32.store (local.get $out) (local.get $best))
    (f64.store offset=8 (local.get $out) (local.get $top))
    (call $answer (local.get $out) (i32.ne (local.get $n) (i32.const 0)))";

/// A loop without end.
pub const LOOP: &str = "(loop $again (br $again)) (unreachable)";

/// A guest, well-behaved until something is replaced.
pub struct Guest {
    pub manifest: RawManifest,
    /// The body of `rank`, with its parameters by their names in the contract.
    pub rank: String,
    /// The body of `describe`.
    pub describe: String,
    /// The body of a start function.
    pub start: Option<String>,
    /// What runs at the head of `cabi_realloc`.
    pub realloc: String,
    /// Further module fields.
    pub fields: String,
    /// Pages of memory at the start.
    pub pages: u32,
    /// The world it is embedded with.
    pub wit: String,
    /// The version in the names of its exports.
    pub version: String,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            manifest: RawManifest {
                name: "largest".to_owned(),
                version: "1.2.3".to_owned(),
                summary: "Takes the row with the largest value.".to_owned(),
                signals: vec!["idle-ms".to_owned(), "queued-bytes".to_owned()],
                parameters: vec![Parameter {
                    name: "weight".to_owned(),
                    default: 0.5,
                    min: 0.0,
                    max: 1.0,
                    doc: "How much.".to_owned(),
                }],
                reasons: vec!["the largest".to_owned()],
                scopes: vec![Scope::User, Scope::Node],
            },
            rank: LARGEST.to_owned(),
            describe: "(global.get $manifest)".to_owned(),
            start: None,
            realloc: String::new(),
            fields: String::new(),
            pages: 2,
            wit: WIT.to_owned(),
            version: "1.0.0".to_owned(),
        }
    }
}

impl Guest {
    /// A guest whose `rank` is that.
    pub fn ranks(body: &str) -> Self {
        Self {
            rank: body.to_owned(),
            ..Self::default()
        }
    }

    /// A guest that says of itself what `change` makes of the usual.
    pub fn says(change: impl FnOnce(&mut RawManifest)) -> Self {
        let mut guest = Self::default();
        change(&mut guest.manifest);
        guest
    }

    /// The core module without a world.
    pub fn bare(&self) -> Vec<u8> {
        let mut data = Data::default();
        let manifest = data.manifest(&self.manifest);
        let (top, text) = (DATA as usize + data.0.len(), data.text());
        let Self {
            rank,
            describe,
            realloc,
            fields,
            pages,
            version,
            ..
        } = self;
        let start = self.start.as_ref().map_or_else(String::new, |body| {
            format!("(func $start {body}) (start $start)")
        });
        let text = format!(
            r#"(module
            {fields}
            (memory (export "memory") {pages})
            (global $top (mut i32) (i32.const {top}))
            (global $manifest i32 (i32.const {manifest}))
            (data (i32.const {DATA}) "{text}")
            (func $realloc (export "cabi_realloc")
                (param i32 i32) (param $align i32) (param $len i32) (result i32)
                (local $at i32)
                {realloc}
                (local.set $at (i32.and
                    (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $top (i32.add (local.get $at) (local.get $len)))
                (block $fits (loop $grow
                    (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
                    (drop (memory.grow (i32.const 4)))
                    (br $grow)))
                (local.get $at))
            (func $alloc (param $len i32) (result i32)
                (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $len)))
            (func $rows (param $columns i32) (result i32)
                (i32.load offset=4 (local.get $columns)))
            (func $answer (param $list i32) (param $len i32) (result i32)
                (i32.store offset=20 (i32.const 0) (local.get $list))
                (i32.store offset=24 (i32.const 0) (local.get $len))
                (i32.const 16))
            (func (export "wastegate:policy/ranker@{version}#describe") (result i32) {describe})
            (func $rank (export "wastegate:policy/ranker@{version}#rank")
                (param $tier i32) (param $scope i32) (param $needed i32) (param $limit i32)
                (param $held i32) (param $now i64) (param $seed i64)
                (param $params i32) (param $params_len i32)
                (param $columns i32) (param $columns_len i32) (result i32)
                {rank})
            {start})"#
        );
        wat::parse_str(text).unwrap()
    }

    /// The core module with its world, as a compiler leaves it.
    pub fn wasm(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("policy.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some("policy")).unwrap();
        let mut module = self.bare();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .unwrap();
        module
    }

    /// Compiles it, without putting it through the kit: for guests that would not pass.
    pub fn program(&self) -> Arc<Program> {
        load::program(&engine(), &self.wasm()).unwrap()
    }

    /// Loads it with default parameters.
    pub fn load(&self) -> Result<Arc<Policy>, LoadError> {
        load::policy(&engine(), &self.wasm(), &Params::new())
    }
}

/// A guest's static data, growing upwards from [`DATA`].
#[derive(Default)]
struct Data(Vec<u8>);

impl Data {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        while !self.0.len().is_multiple_of(8) {
            self.0.push(0);
        }
        let at = DATA + u32::try_from(self.0.len()).unwrap();
        self.0.extend_from_slice(bytes);
        at
    }

    /// Pointer and length, little-endian.
    fn list(&mut self, bytes: &[u8], len: usize) -> [u8; 8] {
        let at = u64::from(self.put(bytes));
        (at | (len as u64) << 32).to_le_bytes()
    }

    fn string(&mut self, text: &str) -> [u8; 8] {
        self.list(text.as_bytes(), text.len())
    }

    fn strings(&mut self, texts: &[String]) -> [u8; 8] {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| self.string(text)).collect();
        self.list(&bytes, texts.len())
    }

    fn parameters(&mut self, parameters: &[Parameter]) -> [u8; 8] {
        let mut bytes = Vec::new();
        for parameter in parameters {
            bytes.extend(self.string(&parameter.name));
            for number in [parameter.default, parameter.min, parameter.max] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(self.string(&parameter.doc));
        }
        self.list(&bytes, parameters.len())
    }

    fn manifest(&mut self, manifest: &RawManifest) -> u32 {
        let scopes: Vec<u8> = manifest.scopes.iter().map(|&scope| scope as u8).collect();
        let record = [
            self.string(&manifest.name),
            self.string(&manifest.version),
            self.string(&manifest.summary),
            self.strings(&manifest.signals),
            self.parameters(&manifest.parameters),
            self.strings(&manifest.reasons),
            self.list(&scopes, scopes.len()),
        ]
        .concat();
        self.put(&record)
    }

    fn text(&self) -> String {
        self.0.iter().map(|byte| format!("\\{byte:02x}")).collect()
    }
}
