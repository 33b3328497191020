//! What `bindgen!` makes of `wit/policy.wit`. Nothing is written by hand here, and nobody but
//! `convert`, `guest`, `call` and `program` looks inside.

wasmtime::component::bindgen!({
    path: "wit",
    world: "policy",
    include_component_type: true,
});
