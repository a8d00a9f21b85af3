//! The allocator of the extension: mimalloc, told when to give memory back.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc.h, which the bindings do not name.
const PURGE_DELAY: mi_option_t = 15;

/// How soon memory that is free is given back to the system.
#[derive(Clone, Copy)]
pub enum GiveBack {
    /// After 30 ms. A backup's packs come and go in pieces of many megabytes: with a whole second
    /// it peaks at half as much again and takes a tenth less processor time (docs/benchmarks.md).
    Soon = 30,
    /// After 100 ms. Reading uses the same memory again and again: it takes a seventh less
    /// processor time (docs/benchmarks.md).
    Late = 100,
}

/// Set how soon memory is given back; for the whole process, by whichever call came last.
#[expect(unsafe_code, reason = "the bindings have no safe way to set an option")]
pub fn tune(when: GiveBack) {
    // SAFETY: the option exists in every mimalloc 2 and 3, and may be set at any time.
    unsafe { mi_option_set(PURGE_DELAY, when as std::ffi::c_long) }
}
