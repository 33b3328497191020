//! Backends with one answer, and requests that are spelled out: the harness has them for other tests too.

pub(crate) use wastegate_tests::harness::scripted::*;
