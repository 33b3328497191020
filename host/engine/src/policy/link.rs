//! A compiled policy, linked to what it is granted, and its two functions by index.
//!
//! `bindgen!` has the like of it, but looks both functions up and checks their types for every
//! instance, `describe` and its manifest included. A call needs `rank` alone.

use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower,
};

use super::bindings::exports::wastegate::policy::ranker::{Call, Choice, Manifest};
use super::guest::{Guest, RANKER_INTERFACE};
use super::sandbox::Sandbox;

/// Ready to be instantiated.
pub(super) struct Linked {
    pre: InstancePre<Guest>,
    describe: ComponentExportIndex,
    rank: ComponentExportIndex,
}

/// One instance, for one call.
pub(super) struct Started<'a> {
    linked: &'a Linked,
    instance: Instance,
}

impl Linked {
    /// Links a component and finds its functions.
    ///
    /// # Errors
    /// When an import is not granted, or a function is missing.
    pub(super) fn new(sandbox: &Sandbox, component: &Component) -> wasmtime::Result<Self> {
        Self::of(component, sandbox.link(component)?)
    }

    /// The same of a heavy one.
    ///
    /// # Errors
    /// As [`Linked::new`].
    pub(super) fn heavy(sandbox: &Sandbox, component: &Component) -> wasmtime::Result<Self> {
        Self::of(component, sandbox.link_with_stubs(component)?)
    }

    fn of(component: &Component, pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        let missing = |name: &str| wasmtime::format_err!("`{name}` is missing");
        let ranker = component
            .get_export_index(None, RANKER_INTERFACE)
            .ok_or_else(|| missing(RANKER_INTERFACE))?;
        let function = |name: &str| {
            component
                .get_export_index(Some(&ranker), name)
                .ok_or_else(|| missing(name))
        };
        Ok(Self {
            describe: function("describe")?,
            rank: function("rank")?,
            pre,
        })
    }

    /// Machine code and data, bytes.
    pub(super) fn compiled_bytes(&self) -> usize {
        let image = self.pre.component().image_range();
        image.end.addr().saturating_sub(image.start.addr())
    }

    /// Makes an instance. Runs guest code, so every limit is set before.
    pub(super) fn start(&self, store: &mut Store<Guest>) -> wasmtime::Result<Started<'_>> {
        Ok(Started {
            linked: self,
            instance: self.pre.instantiate(store)?,
        })
    }
}

impl Started<'_> {
    /// Asks what it is.
    pub(super) fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Manifest> {
        let (manifest,) = self.call(store, &self.linked.describe, ())?;
        Ok(manifest)
    }

    /// Asks for a ranking.
    pub(super) fn rank(
        &self,
        store: &mut Store<Guest>,
        call: &Call,
        columns: &[Vec<f64>],
    ) -> wasmtime::Result<Result<Vec<Choice>, String>> {
        let (answer,) = self.call(store, &self.linked.rank, (call, columns))?;
        Ok(answer)
    }

    fn call<P, R>(
        &self,
        store: &mut Store<Guest>,
        function: &ComponentExportIndex,
        params: P,
    ) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut *store, function)?;
        function.call(store, params)
    }
}
