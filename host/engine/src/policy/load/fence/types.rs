//! Types of components: declared inside one another without end, and walked without a call for each.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType,
    ComponentTypeRef, CoreType,
};

use super::{Count, Meter, Stopped};

/// How the types begin that hold declarations.
const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;

/// Kinds of declarations in them.
const CORE_TYPE: u8 = 0x00;
const TYPE: u8 = 0x01;
const ALIAS: u8 = 0x02;
const IMPORT: u8 = 0x03;

/// Walks the content of a section of types. `depth` is that of the component it is in.
pub(super) fn walk(
    reader: &mut BinaryReader<'_>,
    meter: &mut Meter<'_>,
    depth: u64,
    offset: usize,
) -> Result<(), Stopped> {
    let mut types = reader.read_var_u32()?;
    // How many declarations are left of each type that was begun, the innermost last.
    let mut begun: Vec<u32> = Vec::new();
    loop {
        let at = offset.saturating_add(reader.original_position());
        match begun.last_mut() {
            Some(0) => {
                begun.pop();
            }
            Some(left) => {
                *left -= 1;
                if let Some(inner) = declaration(reader)? {
                    begun.push(inner);
                }
                meter.add(Count::Types, 1, at)?;
            }
            None if types == 0 => return Ok(()),
            None => {
                types -= 1;
                if let Some(inner) = a_type(reader)? {
                    begun.push(inner);
                }
                meter.add(Count::Types, 1, at)?;
            }
        }
        let inside = u64::try_from(begun.len()).unwrap_or(u64::MAX);
        meter.most(Count::Nesting, depth.saturating_add(inside), at)?;
    }
}

/// Reads a type; of one that holds declarations only how many.
fn a_type(reader: &mut BinaryReader<'_>) -> Result<Option<u32>, Stopped> {
    let mut ahead = reader.clone();
    if let COMPONENT | INSTANCE = ahead.read_u8()? {
        *reader = ahead;
        return Ok(Some(reader.read_var_u32()?));
    }
    // Anything else refers to other types by their number, and holds none.
    reader.read::<ComponentType<'_>>()?;
    Ok(None)
}

/// Reads a declaration inside a type; of a type that holds others only how many.
fn declaration(reader: &mut BinaryReader<'_>) -> Result<Option<u32>, Stopped> {
    match reader.read_u8()? {
        CORE_TYPE => {
            reader.read::<CoreType<'_>>()?;
        }
        TYPE => return a_type(reader),
        ALIAS => {
            reader.read::<ComponentAlias<'_>>()?;
        }
        IMPORT => {
            reader.read::<ComponentImport<'_>>()?;
        }
        // An export; what is none is for the validator to refuse, if it can be read as one.
        _ => {
            reader.read::<ComponentExternName<'_>>()?;
            reader.read::<ComponentTypeRef>()?;
        }
    }
    Ok(None)
}
