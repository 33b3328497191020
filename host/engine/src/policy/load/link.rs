//! From bytes to code that can be called: the fence, then what was kept or is made now, mapped and
//! linked for the sandboxes it is called in.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;
use wasmtime::component::Component;

use super::digest;
use super::error::LoadError;
use super::fence::{self, Stopped};
use super::format;
use super::made::Made;
use super::make::Order;
use super::step::Step;
use crate::policy::allowance::Size;
use crate::policy::engine::Engine;
use crate::policy::link::Linked;
use crate::policy::program::Code;

/// Compiles a policy, or finds it compiled, and links it.
pub(super) fn code(
    engine: &Engine,
    bytes: &[u8],
    passed: &mut dyn FnMut(Step),
) -> Result<Code, LoadError> {
    format::recognise(bytes, engine.config().file_bytes_max())?;
    passed(Step::Size);
    fenced(bytes, &engine.config().load.bounds)?;
    let order = Order::of(engine);
    let name = name(engine, &order, bytes);
    if let Some(code) = kept(engine, &name) {
        let steps = [
            Step::Format,
            Step::World,
            Step::Imports,
            Step::Types,
            Step::Compile,
        ];
        steps.into_iter().for_each(&mut *passed);
        return Ok(code);
    }
    let made = engine.workshop().make(order, bytes, passed)?;
    let code = map(engine, &made)?;
    if made.weight.is_heavy()
        && let Some(directory) = engine.compiled()
    {
        directory.keep(&name, &made.to_bytes());
    }
    Ok(code)
}

/// Lets a file through, or says what it has too much of.
pub(super) fn fenced(bytes: &[u8], bounds: &fence::Bounds) -> Result<(), LoadError> {
    match fence::walk(bytes, bounds) {
        Ok(_) => Ok(()),
        Err(Stopped::Breach(breach)) => Err(LoadError::Fence(breach)),
        Err(Stopped::Malformed(error)) => Err(LoadError::Malformed(error.into())),
    }
}

/// The name of the file in which the compiled form is kept: by what was compiled, by which engine,
/// for what.
fn name(engine: &Engine, order: &Order, bytes: &[u8]) -> String {
    let mut hasher = SipHasher13::new();
    engine.sandbox(Size::Heavy).compatibility(&mut hasher);
    order.hash(&mut hasher);
    format!("{}-{:016x}.cwasm", digest(bytes), hasher.finish())
}

/// What was kept, if it is for this engine.
fn kept(engine: &Engine, name: &str) -> Option<Code> {
    let directory = engine.compiled()?;
    let kept = directory.find(name)?;
    let code = Made::from_trusted(kept.content())
        .ok_or_else(|| LoadError::Compile("it has another form".into()))
        .and_then(|made| map(engine, &made));
    match code {
        Ok(code) => Some(code),
        Err(error) => {
            let error = wastegate_core::types::chain(&error);
            tracing::warn!(
                file = name,
                error,
                "a compiled policy is not for this engine"
            );
            directory.forget(name);
            None
        }
    }
}

fn map(engine: &Engine, made: &Made) -> Result<Code, LoadError> {
    let linked = |size: Size| {
        let sandbox = engine.sandbox(size);
        let missing = || LoadError::Compile("it was not compiled for this sandbox".into());
        let native = made.code(sandbox.layout()).ok_or_else(missing)?;
        let compiled: Component = sandbox.revive(native).map_err(refused)?;
        let linked = match size {
            Size::Heavy => Linked::heavy(sandbox, &compiled),
            Size::Small | Size::Large => Linked::new(sandbox, &compiled),
        };
        linked.map_err(mismatch)
    };
    Ok(if made.weight.is_heavy() {
        Code::Heavy(linked(Size::Heavy)?, made.weight)
    } else {
        Code::Light {
            small: linked(Size::Small)?,
            large: linked(Size::Large)?,
        }
    })
}

fn refused(error: wasmtime::Error) -> LoadError {
    LoadError::Compile(error.root_cause().to_string().into())
}

fn mismatch(error: wasmtime::Error) -> LoadError {
    LoadError::Types(vec![format!("{error:#}")])
}
