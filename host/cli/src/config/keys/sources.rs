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
    section! {
        |d| "policy.directory",
        "A directory that is watched: `NAME.wasm`, with `NAME.wasm.minisig` beside it, is policy \
         `NAME`. New content of the active policy, or of the one that `policy.name` names, \
         becomes active if it passes the checks; other policies are kept ready.";

        /// The directory, relative to the working directory; empty to watch none.
        restart path: OptionalPath => d.rooms.sources.directory.path;

        /// Time between two looks at the directory. A file is read when two looks in a row found it
        /// unchanged.
        restart rescan_ms: millis(50, DAY) => d.rooms.sources.directory.rescan;
    }
}

fn registry() -> Section {
    section! {
        |d| "policy.registry",
        "A policy in a registry, as an OCI artifact: `wastegate policy publish` makes one.";

        /// The policy to rank by and to follow, unless there is a `policy.file`. If its tag names
        /// other content, that policy becomes active once it passes the checks. Empty for none.
        restart reference: OptionalReference => d.rooms.sources.registry.reference;

        /// Time between two requests for what the tag names.
        restart poll_ms: millis(SECOND, DAY) => d.rooms.sources.registry.poll;

        /// Whether registries are asked without encryption; on loopback they always are.
        restart plain_http: Switch => d.rooms.sources.registry.plain_http;

        /// How long one pull may take, with all its attempts.
        restart timeout_ms: millis(100, 10 * MINUTE) => d.rooms.sources.registry.timeout;

        /// The user name for the registry of `reference`; empty if `password` is a bearer token.
        restart username: OptionalText => d.rooms.sources.registry.credentials.username;

        /// The password of `username`, or a bearer token. Other registries do not get it.
        restart password: Credential => d.rooms.sources.registry.credentials.password;
    }
}

fn signatures() -> Section {
    section! {
        |d| "policy.signatures",
        "Signatures that policies from outside need: files, directory, uploads, registries. \
         Shipped policies need none.";

        /// Public keys of minisign, one of which must have signed; an empty list requires no
        /// signature.
        restart keys: MinisignKeys => d.rooms.sources.keys;
    }
}
