//! What in cold a run goes without, because it is not what it should be.
//!
//! Nothing is ever removed from cold, so what is damaged stays there. A run stores anew what such
//! an object held and says so as a problem; once a snapshot stands that does without it, later
//! runs only mention it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex},
};

use crate::{
    error::{Error, ErrorKind},
    issue::{IssueKind, Issues, KEPT_ISSUES},
    known::Known,
    object::{Object, ObjectId, ObjectKind},
    workers::lock,
};

/// The damaged objects that one run has met, in all its attempts.
pub struct Distrust {
    known: Arc<Known>,
    issues: Arc<Issues>,
    met: Mutex<BTreeMap<ObjectId, Met>>,
}

/// What was met.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Met {
    kind: ObjectKind,
    error: ErrorKind,
}

impl Met {
    /// Whether nothing is wrong: who may only write cannot read what hot lost.
    fn is_out_of_reach(self) -> bool {
        self.error == ErrorKind::Denied
    }
}

impl Distrust {
    /// Nothing was met yet.
    pub fn new(known: Arc<Known>, issues: Arc<Issues>) -> Self {
        Self { known, issues, met: Mutex::default() }
    }

    /// From now on the run goes without the object; told when it is met first.
    pub fn add(&self, object: &Object, error: &Error) {
        let Object::Hashed(kind, id) = *object else { return };
        let mut all = lock(&self.met);
        let is_first_out_of_reach = !all.values().any(|met| met.is_out_of_reach());
        if let Entry::Vacant(new) = all.entry(id) {
            let met = *new.insert(Met { kind, error: error.kind() });
            match met.is_out_of_reach() {
                false => self.tell(object, id, error),
                true if is_first_out_of_reach => self.tell_out_of_reach(object, error),
                true => {}
            }
        }
    }

    /// Told once: it may be true of all there is.
    fn tell_out_of_reach(&self, object: &Object, error: &Error) {
        let message = format!(
            "hot lacks metadata that this credential may not read, so it is stored anew; \
             `unstoppable hot rebuild` with one that may read mends that: {}",
            error.chain()
        );
        self.issues.add(IssueKind::HotIncomplete, object.path(), message);
    }

    fn tell(&self, object: &Object, id: ObjectId, error: &Error) {
        let (issue, since) = match self.known.is_damaged(id) {
            true => (
                IssueKind::IgnoredObject,
                "and the source still has was stored anew by an earlier run",
            ),
            false => (IssueKind::Damaged, "and the source still has is stored anew"),
        };
        let message =
            format!("what it held {since}, older snapshots may lack it: {}", error.chain());
        self.issues.add(issue, object.path(), message);
    }

    /// Whether the run goes without the object.
    pub fn holds(&self, id: ObjectId) -> bool {
        lock(&self.met).contains_key(&id)
    }

    /// Whether something was met that no earlier run told.
    pub fn holds_news(&self) -> bool {
        let is_news = |(id, met): (&ObjectId, &Met)| match met.is_out_of_reach() {
            // What an index lists that cannot be looked at is stored anew, this time as any other.
            true => met.kind == ObjectKind::Pack && !self.known.is_damaged(*id),
            false => !self.known.is_damaged(*id),
        };
        lock(&self.met).iter().any(is_news)
    }

    /// Whether something was met that this credential may not read.
    pub fn lacks_rights(&self) -> bool {
        lock(&self.met).values().any(|met| met.is_out_of_reach())
    }

    /// How many objects were met.
    pub fn count(&self) -> usize {
        lock(&self.met).len()
    }

    /// Remember what was met: a snapshot stands that does without it. What could only not be read
    /// just now is met again or is right; a pack that nobody here may read is looked at each time,
    /// because hot may have been made whole.
    pub fn settle(&self) {
        let met = lock(&self.met);
        let damaged = met.iter().filter(|(_, met)| match met.error {
            ErrorKind::Damaged => true,
            ErrorKind::Denied => met.kind == ObjectKind::Pack,
            _ => false,
        });
        self.known.set_damaged(damaged.map(|(id, _)| *id).take(KEPT_ISSUES));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        birth::Birth,
        format::seal::Seal,
        key::RootSecret,
        known::sealed,
        storage::local::{LocalDirectory, Maintain},
    };

    /// The kinds of what a run tells that meets `errors`, one for each object.
    fn told(place: &LocalDirectory<Maintain>, seal: &Seal, errors: &[ErrorKind]) -> Vec<IssueKind> {
        let issues = Arc::<Issues>::default();
        let known = Known::load(Some(place.clone()), seal.clone(), issues.clone());
        let distrust = Distrust::new(Arc::new(known), issues.clone());
        for (number, kind) in errors.iter().enumerate() {
            let object = Object::Hashed(ObjectKind::Pack, ObjectId([number as u8; 32]));
            for _ in 0..2 {
                distrust.add(&object, &Error::new(*kind, "it cannot be used"));
            }
        }
        assert_eq!(distrust.count(), errors.len());
        distrust.settle();
        issues.collected().kept.iter().map(|issue| issue.kind).collect()
    }

    #[test]
    fn only_damage_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let place = LocalDirectory::<Maintain>::new(folder.path());
        let birth = Birth::new("acme", "www", 1).unwrap();
        let seal = Seal::new(&RootSecret::generate().unwrap().repository_key(&birth).unwrap());
        let none = BTreeSet::new();
        place.replace(&Object::Known, sealed(&seal, &none, &none).unwrap().into()).unwrap();
        let errors = [ErrorKind::Damaged, ErrorKind::Storage];

        let first = told(&place, &seal, &errors);
        let second = told(&place, &seal, &errors);

        assert_eq!(first, [IssueKind::Damaged, IssueKind::Damaged]);
        assert_eq!(second, [IssueKind::IgnoredObject, IssueKind::Damaged]);
        told(&place, &seal, &[]);
        assert_eq!(told(&place, &seal, &errors), first, "what went away is forgotten");
    }
}
