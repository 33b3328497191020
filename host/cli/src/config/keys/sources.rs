//! `[policy.directory]`, `[policy.registry]`, `[policy.signatures]`: where policies come from while
//! the server runs, and who has to have signed them.

use super::{DAY, MINUTE, SECOND, Section};
use crate::config::shape::{
    Credential, MinisignKeys, OptionalPath, OptionalReference, OptionalText, Switch, millis,
};

pub(super) fn sections() -> Vec<Section> {
    vec![directory(), registry(), signatures()]
}

fn directory() -> Section {
    Section::new(
        "policy.directory",
        "A directory that is watched: `NAME.wasm`, with `NAME.wasm.minisig` beside it, is policy \
         `NAME`. New content of the policy that is in charge, or that `policy.name` names, is put in \
         charge if it passes; of others it is kept ready.",
    )
    .key(
        "path",
        OptionalPath,
        |d| &mut d.rooms.sources.directory.path,
        "The directory, relative to the working directory; empty to watch none.",
    )
    .key(
        "rescan_ms",
        millis(50, DAY),
        |d| &mut d.rooms.sources.directory.rescan,
        "Between two looks. A file is read when two looks in a row saw it unchanged.",
    )
}

fn registry() -> Section {
    Section::new(
        "policy.registry",
        "A policy in a registry, as an OCI artifact: `wastegate policy publish` makes one.",
    )
    .key(
        "reference",
        OptionalReference,
        |d| &mut d.rooms.sources.registry.reference,
        "The policy to rank by and to keep up with, unless there is a `policy.file`; what its tag \
         means anew is put in charge if it passes. Empty for none.",
    )
    .key(
        "poll_ms",
        millis(SECOND, DAY),
        |d| &mut d.rooms.sources.registry.poll,
        "Between two looks at what the tag means.",
    )
    .key(
        "plain_http",
        Switch,
        |d| &mut d.rooms.sources.registry.plain_http,
        "Whether registries are asked without encryption; on loopback they always are.",
    )
    .key(
        "timeout_ms",
        millis(100, 10 * MINUTE),
        |d| &mut d.rooms.sources.registry.timeout,
        "How long one pull may take, attempts and all.",
    )
    .key(
        "username",
        OptionalText,
        |d| &mut d.rooms.sources.registry.credentials.username,
        "Who we are to the registry of `reference`; empty if `password` is a bearer token.",
    )
    .secret(
        "password",
        Credential,
        |d| &mut d.rooms.sources.registry.credentials.password,
        "The password of `username`, or a bearer token; no other registry gets it.",
    )
}

fn signatures() -> Section {
    Section::new(
        "policy.signatures",
        "Who has to have signed policies that come from outside: files, directory, uploads, \
         registries. Those that the host ships need no signature.",
    )
    .key(
        "keys",
        MinisignKeys,
        |d| &mut d.rooms.sources.keys,
        "Public keys of minisign, any of which will do; an empty list asks for no signatures.",
    )
}
