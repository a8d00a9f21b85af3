//! The bridge to `rustic_core`; its types are known here and in `source`, nowhere else.

pub mod backend;
pub mod errors;
mod index;
pub mod open;
pub mod progress;
pub mod sound;
