//! `[policy]`: which policy ranks, and what its operator set.

use super::Section;
use crate::config::key::Key;
use crate::config::shape::{FINITE, Name, OptionalPath};

pub(super) fn sections() -> Vec<Section> {
    let mut params = Section::new(
        "policy.params",
        "The policy's own parameters, by the names in its manifest: lower case words joined by \
         hyphens. `wastegate policy check` lists them.",
    );
    params.open = Some(param);
    vec![
        Section::new(
            "policy",
            "Which policy ranks, and within which limits it runs.",
        )
        .key(
            "file",
            OptionalPath,
            |d| &mut d.policy.file,
            "The policy's file, relative to the working directory; empty to use `name`.",
        )
        .key(
            "name",
            Name,
            |d| &mut d.policy.name,
            "The name of a shipped policy; not looked at if there is a `file`.",
        ),
        params,
    ]
}

fn param(name: &str) -> Key {
    let param = name.to_owned();
    let path = format!("policy.params.{name}");
    Key::new(
        path,
        FINITE,
        "A number within the range that the policy declares.",
        move |d| d.policy.params.entry(param.clone()).or_insert(f64::NAN),
    )
}
