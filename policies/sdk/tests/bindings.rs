//! Keeps the checked-in bindings equal to what `wit-bindgen` makes of `wit/`.
//!
//! Generated code is checked in because generating it in every guest build takes a minute and
//! compiling the result takes two seconds.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::Opts;

const HEADER: &str = "\
//! The contract as Rust, generated from `wit/`: not written and not to be edited by hand.
//!
//! The rest of this crate is what a policy is meant to use.

";

#[test]
fn bindings_are_what_the_contract_says() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = crate_dir.join("src/bindings.rs");
    let expected = generate(&crate_dir.join("../../wit")).unwrap();
    if blessed() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "policies/sdk/src/bindings.rs is out of date; to write it anew:\n\n    \
         WASTEGATE_BLESS=1 cargo test -p wastegate-policy --test bindings\n"
    );
}

fn generate(wit: &Path) -> Result<String, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some("policy"))?;
    let options = Opts {
        format: true,
        runtime_path: Some("wit_bindgen::rt".to_owned()),
        pub_export_macro: true,
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, generated) = files.iter().next().ok_or("nothing was generated")?;
    Ok(HEADER.to_owned() + str::from_utf8(generated)?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how to bless is asked of whoever runs the test"
)]
fn blessed() -> bool {
    env::var_os("WASTEGATE_BLESS").is_some()
}
