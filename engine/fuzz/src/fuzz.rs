//! libFuzzer over the target that `FUZZ_TARGET` names; `engine/fuzz/run` says how.

#![no_main]

use std::{env, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use targets::{Target, find};

static TARGET: LazyLock<Option<Target>> =
    LazyLock::new(|| env::var("FUZZ_TARGET").ok().and_then(|name| find(&name)));

fuzz_target!(|data: &[u8]| {
    assert!(TARGET.is_some(), "FUZZ_TARGET names no target");
    if let Some(target) = *TARGET {
        target(data);
    }
});
