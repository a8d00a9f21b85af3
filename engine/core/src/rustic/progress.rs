//! Progress of `rustic_core` counted into our [`Control`].

use std::sync::Arc;

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

use crate::control::Control;

/// Counts the bytes of files that were read or found unchanged; everything else is hidden.
#[derive(Debug, Clone)]
pub struct Counters(pub Arc<Control>);

impl ProgressBars for Counters {
    fn progress(&self, progress_type: ProgressType, _prefix: &str) -> Progress {
        match progress_type {
            ProgressType::Bytes => Progress::new(self.clone()),
            ProgressType::Spinner | ProgressType::Counter => Progress::hidden(),
        }
    }
}

impl RusticProgress for Counters {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, _length: u64) {}

    fn set_title(&self, _title: &str) {}

    fn inc(&self, count: u64) {
        self.0.add_bytes(count);
    }

    fn finish(&self) {}
}
