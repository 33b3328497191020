//! In which types and functions a policy differs from the contract.
//!
//! The engine would only say that types do not match; whoever has to mend it wants to know which
//! field. What cannot be read here is left for the engine to refuse.

use std::collections::BTreeMap;

use wit_component::DecodedWasm;
use wit_parser::{
    Case, Field, Function, Handle, Interface, Resolve, Type, TypeDefKind, WorldId, WorldItem,
};

use super::difference::{self, Definition};
use super::error::LoadError;
use crate::policy::bindings;

/// The interfaces that are compared.
const COMPARED: [&str; 3] = ["types", "log", "ranker"];

/// Each function and named type.
type Shape = BTreeMap<String, Definition>;

/// Checks a component's types against ours.
pub(super) fn check(component: &[u8]) -> Result<(), LoadError> {
    match wit_component::decode(component) {
        Ok(DecodedWasm::Component(theirs, world)) => check_world(&theirs, world),
        _ => Ok(()),
    }
}

/// Checks the types of a world, by whose names a core module goes.
pub(super) fn check_world(theirs: &Resolve, world: WorldId) -> Result<(), LoadError> {
    let differences = differences_in(theirs, world);
    if differences.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Types(differences))
    }
}

/// Some lines for each difference; none where a side cannot be read.
fn differences_in(theirs: &Resolve, world: WorldId) -> Vec<String> {
    let Ok((ours, our_world)) = wit_parser::decoding::decode_world(bindings::COMPONENT_TYPE) else {
        return Vec::new();
    };
    let (theirs, ours) = (shape(theirs, world), shape(&ours, our_world));
    let missing = ours
        .iter()
        .filter(|(name, _)| !theirs.contains_key(*name) && name.starts_with("ranker"))
        .map(|(name, ours)| format!("{name}:\n    - {}", ours.line()));
    let surplus = theirs
        .iter()
        .filter(|(name, _)| !ours.contains_key(*name) && name.starts_with("ranker"))
        .map(|(name, theirs)| format!("{name}:\n    + {}", theirs.line()));
    let other = theirs
        .iter()
        .filter_map(|(name, theirs)| difference::lines(name, ours.get(name)?, theirs));
    // A surplus is no fault by itself; it shows where what is missing went.
    let missing: Vec<String> = missing.collect();
    let surplus: Vec<String> = if missing.is_empty() {
        Vec::new()
    } else {
        surplus.collect()
    };
    missing.into_iter().chain(surplus).chain(other).collect()
}

fn shape(resolve: &Resolve, world: WorldId) -> Shape {
    let mut shape = Shape::new();
    let Some(world) = resolve.worlds.get(world) else {
        return shape;
    };
    for item in world.imports.values().chain(world.exports.values()) {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        if let Some(interface) = resolve.interfaces.get(*id) {
            collect(resolve, interface, &mut shape);
        }
    }
    shape
}

fn collect(resolve: &Resolve, interface: &Interface, shape: &mut Shape) {
    let Some(name) = interface.name.as_deref() else {
        return;
    };
    if !COMPARED.contains(&name) {
        return;
    }
    for (ty, id) in &interface.types {
        let Some(def) = resolve.types.get(*id) else {
            continue;
        };
        // Types that an interface merely uses are compared where they are defined.
        if !matches!(def.kind, TypeDefKind::Type(Type::Id(_))) {
            shape.insert(format!("{name}.{ty}"), definition(resolve, &def.kind));
        }
    }
    for (function, signature) in &interface.functions {
        shape.insert(
            format!("{name}.{function}"),
            Definition::Whole(signature_text(resolve, signature)),
        );
    }
}

fn signature_text(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, reference(resolve, &param.ty)))
        .collect();
    match &function.result {
        Some(result) => format!(
            "func({}) -> {}",
            params.join(", "),
            reference(resolve, result)
        ),
        None => format!("func({})", params.join(", ")),
    }
}

/// A type where it is used: by its name, if it has one.
fn reference(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return primitive(ty).to_owned();
    };
    match resolve.types.get(*id) {
        Some(def) => match &def.name {
            Some(name) => name.clone(),
            None => definition(resolve, &def.kind).line(),
        },
        None => "?".to_owned(),
    }
}

/// A type where it is defined.
fn definition(resolve: &Resolve, kind: &TypeDefKind) -> Definition {
    let of = |ty: &Type| reference(resolve, ty);
    let maybe = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), of);
    let parts = |kind, parts: Vec<(String, Option<String>)>| Definition::Parts { kind, parts };
    Definition::Whole(match kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let field = |field: &Field| (field.name.clone(), Some(of(&field.ty)));
            return parts("record", fields.map(field).collect());
        }
        TypeDefKind::Enum(cases) => {
            let cases = cases.cases.iter();
            return parts(
                "enum",
                cases.map(|case| (case.name.clone(), None)).collect(),
            );
        }
        TypeDefKind::Variant(cases) => {
            let cases = cases.cases.iter();
            let case = |case: &Case| (case.name.clone(), case.ty.as_ref().map(of));
            return parts("variant", cases.map(case).collect());
        }
        TypeDefKind::Flags(flags) => {
            let flags = flags.flags.iter();
            return parts(
                "flags",
                flags.map(|flag| (flag.name.clone(), None)).collect(),
            );
        }
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(of).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", of(ty)),
        TypeDefKind::List(ty) => format!("list<{}>", of(ty)),
        TypeDefKind::Result(result) => {
            format!("result<{}, {}>", maybe(&result.ok), maybe(&result.err))
        }
        TypeDefKind::Type(ty) => of(ty),
        TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_)) => "a handle".to_owned(),
        // Nothing of the contract, and nothing that a difference could be read from.
        other => other.as_str().to_owned(),
    })
}

const fn primitive(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "?",
    }
}
