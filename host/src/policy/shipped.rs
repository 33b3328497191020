//! The policies that the host was built with, as components: compiled from `policies/` by the build
//! script.

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));
