//! From bytes that passed the fence to machine code: validate, componentise, check the world, the
//! imports and the types, weigh, compile.
//!
//! A pure function of the bytes and an [`Order`], so it is the same in a process of its own, in a
//! thread, and tomorrow. It is the only place in which a library that recurses sees a policy.

use serde::{Deserialize, Serialize};

use super::error::LoadError;
use super::made::Made;
use super::step::Step;
use super::weight::{self, Caps};
use super::{format, imports, shape, world};
use crate::policy::allowance::Size;
use crate::policy::engine::Engine;
use crate::policy::sandbox::{self, Layout};

/// Stack of the thread that does it, bytes: sixteen times what the deepest file needs that the
/// default bounds let through. Only what is used of it is memory.
pub(super) const STACK_BYTES: usize = 64 << 20;

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Order {
    /// What a component may ask for.
    caps: Caps,
    /// For which sandboxes a light one is compiled.
    light: Vec<Layout>,
    /// For which a heavy one is.
    heavy: Layout,
}

impl Order {
    /// For the sandboxes of an engine.
    pub(super) fn of(engine: &Engine) -> Self {
        let mut light = vec![
            engine.sandbox(Size::Small).layout(),
            engine.sandbox(Size::Large).layout(),
        ];
        light.dedup();
        Self {
            caps: Caps::of(engine.config()),
            light,
            heavy: engine.sandbox(Size::Heavy).layout(),
        }
    }
}

/// Does it, telling of every step that was passed.
///
/// # Errors
/// [`LoadError`] with the first step that failed.
pub(super) fn make(
    order: &Order,
    bytes: &[u8],
    passed: &mut dyn FnMut(Step),
) -> Result<Made, LoadError> {
    let component = format::component(bytes, passed)?;
    let interfaces = world::Interfaces::of(&component)?;
    world::check(&interfaces.exports)?;
    passed(Step::World);
    imports::check(&interfaces.imports)?;
    passed(Step::Imports);
    shape::check(&component)?;
    passed(Step::Types);
    let weight = weight::of(&component, &interfaces.imports, bytes.len(), &order.caps)?;
    let layouts = if weight.is_heavy() {
        std::slice::from_ref(&order.heavy)
    } else {
        &order.light
    };
    let code = layouts.iter().map(|&layout| {
        let compiled = sandbox::compile(layout, &component).map_err(refused)?;
        Ok((layout, compiled))
    });
    let made = Made::of(weight, code.collect::<Result<_, LoadError>>()?);
    passed(Step::Compile);
    Ok(made)
}

fn refused(error: wasmtime::Error) -> LoadError {
    LoadError::Compile(error.root_cause().to_string().into())
}
