//! Which imports are granted, and what a component that wants them is linked to. What each stub
//! answers is asked through a real standard library in `tests/tests/integration/languages.rs`.

use super::*;

#[test]
fn the_standard_set_is_granted_in_any_patch_of_its_version_and_nothing_else() {
    for import in [
        "wasi:cli/stdout@0.2.0",
        "wasi:cli/stdout@0.2.12",
        "wasi:random/insecure-seed@0.2.4",
        "wasi:filesystem/preopens@0.2.3",
    ] {
        assert!(grants(import), "{import}");
    }
    for import in [
        "wasi:cli/stdout",
        "wasi:cli/stdout@0.3.0",
        "wasi:cli/stdout@0.20.0",
        "wasi:cli/command@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:clocks/timezone@0.2.0",
    ] {
        assert!(!grants(import), "{import}");
    }
}
