//! `wrapped-blend`: the longest idle and the most bytes, blended by the SDK's wrapper; lawful.

use wastegate_policy::prelude::*;
use wastegate_policy::wrap::Blend;
use wastegate_test_guests::{LongestIdle, MostBytes};

export!(Blend<LongestIdle, MostBytes>);
