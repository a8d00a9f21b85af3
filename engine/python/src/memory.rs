//! The allocator of the extension: mimalloc, told to give memory back soon.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc.h, which the bindings do not name.
const PURGE_DELAY: mi_option_t = 15;
/// Packs come and go in pieces of many megabytes. Given back after 10 ms instead of a second, a
/// backup peaks at half the memory and takes a tenth more processor time (docs/benchmarks.md).
const PURGE_DELAY_MILLISECONDS: std::ffi::c_long = 10;

/// Set the allocator's options; called once, when the module is loaded.
#[expect(unsafe_code, reason = "the bindings have no safe way to set an option")]
pub fn tune() {
    // SAFETY: the option exists in every mimalloc 2 and 3, and may be set at any time.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MILLISECONDS) }
}
