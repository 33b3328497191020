//! `wrapped-protect`: the longest idle, shielded by the SDK's wrapper; lawful.

use wastegate_policy::prelude::*;
use wastegate_policy::wrap::Protect;
use wastegate_test_guests::LongestIdle;

export!(Protect<LongestIdle>);
