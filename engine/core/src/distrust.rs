//! What in cold a run goes without, because it is not what it should be.
//!
//! Nothing is ever removed from cold, so what is damaged stays there. A run stores anew what such
//! an object held and says so as a problem; once a snapshot stands that does without it, later
//! runs only mention it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use crate::{
    error::Error,
    issue::{IssueKind, Issues},
    known::Known,
    object::{Object, ObjectId},
    workers::lock,
};

/// The damaged objects that one run has met, in all its attempts.
pub struct Distrust {
    known: Arc<Known>,
    issues: Arc<Issues>,
    met: Mutex<BTreeSet<ObjectId>>,
}

impl Distrust {
    /// Nothing was met yet.
    pub fn new(known: Arc<Known>, issues: Arc<Issues>) -> Self {
        Self { known, issues, met: Mutex::default() }
    }

    /// From now on the run goes without the object; told when it is met first.
    pub fn add(&self, object: &Object, error: &Error) {
        let Object::Hashed(_, id) = *object else { return };
        if !lock(&self.met).insert(id) {
            return;
        }
        let (issue, since) = match self.known.is_damaged(id) {
            true => (IssueKind::IgnoredObject, "was stored anew by an earlier run"),
            false => (IssueKind::Damaged, "is stored anew"),
        };
        let message = format!(
            "what it held {since}, older snapshots may lack it, unstoppable check names them: {}",
            error.chain()
        );
        self.issues.add(issue, object.path(), message);
    }

    /// Whether the run goes without the object.
    pub fn holds(&self, id: ObjectId) -> bool {
        lock(&self.met).contains(&id) || self.known.is_damaged(id)
    }

    /// How many objects were met.
    pub fn count(&self) -> usize {
        lock(&self.met).len()
    }

    /// Remember what was met: a snapshot stands that does without it.
    pub fn settle(&self) {
        self.known.add_damaged(&lock(&self.met));
    }
}
