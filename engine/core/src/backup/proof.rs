//! The proof that a snapshot is in cold.

use crate::{
    error::{Error, ErrorKind, Result},
    object::{Object, ObjectId, ObjectKind},
    storage::ReadStorage,
    workers::both,
};

/// See that every object of `written` that is not a snapshot is in cold with its size in bytes.
pub fn prove_content(cold: &dyn ReadStorage, written: &[(Object, u64)]) -> Result<()> {
    let prove = |kind| prove_sizes(cold, kind, written);
    let (packs, indexes) = both(|| prove(ObjectKind::Pack), || prove(ObjectKind::Index));
    packs.and(indexes)
}

/// See that those of one kind are there.
fn prove_sizes(cold: &dyn ReadStorage, kind: ObjectKind, written: &[(Object, u64)]) -> Result<()> {
    let of_kind = |(object, size_bytes): &(Object, u64)| match object {
        Object::Hashed(of, id) if *of == kind => Some((*id, *size_bytes)),
        _ => None,
    };
    let (ids, sizes): (Vec<_>, Vec<_>) = written.iter().filter_map(of_kind).unzip();
    let found = cold.sizes(kind, &ids)?.into_iter().chain(std::iter::repeat(None));
    for ((id, size_bytes), found) in ids.into_iter().zip(sizes).zip(found) {
        if found != Some(size_bytes) {
            let what = format!("is not there with its {size_bytes} bytes");
            return Err(unproved(&Object::Hashed(kind, id), &what));
        }
    }
    Ok(())
}

/// Read the snapshot of `written` back from cold and compare it with its name, which is returned.
pub fn prove_snapshot(cold: &dyn ReadStorage, written: &[(Object, u64)]) -> Result<ObjectId> {
    let snapshot = written.iter().find_map(|(object, _)| match object {
        Object::Hashed(ObjectKind::Snapshot, id) => Some((object, *id)),
        _ => None,
    });
    let (object, id) =
        snapshot.ok_or_else(|| Error::new(ErrorKind::Internal, "no snapshot was written"))?;
    let content = cold.read(object)?.ok_or_else(|| unproved(object, "is missing"))?;
    if !object.is_named_rightly(&content) {
        return Err(unproved(object, "came back with other bytes"));
    }
    Ok(id)
}

fn unproved(object: &Object, what: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("not stored: {object} {what} in cold after it was written"),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::storage::{
        AppendStorage,
        local::{Append, LocalDirectory},
    };

    fn stored(
        kind: ObjectKind,
        content: &'static [u8],
        cold: &LocalDirectory<Append>,
    ) -> (Object, u64) {
        let object = Object::Hashed(kind, ObjectId::of(content));
        cold.create(&object, &[Bytes::from_static(content)]).unwrap();
        (object, content.len() as u64)
    }

    fn prove(cold: &dyn ReadStorage, written: &[(Object, u64)]) -> Result<ObjectId> {
        prove_content(cold, written)?;
        prove_snapshot(cold, written)
    }

    #[test]
    fn a_snapshot_or_pack_that_storage_lost_or_changed_is_never_called_stored() {
        let folder = tempfile::tempdir().unwrap();
        let cold = LocalDirectory::<Append>::new(folder.path());
        cold.create_folders().unwrap();
        let written = [
            stored(ObjectKind::Pack, b"pack", &cold),
            stored(ObjectKind::Index, b"index", &cold),
            stored(ObjectKind::Snapshot, b"snapshot", &cold),
        ];
        assert_eq!(prove(&cold, &written).unwrap(), ObjectId::of(b"snapshot"));

        for ((object, _), content) in written.iter().zip(["pack", "index", "snapshot"]) {
            let path = folder.path().join(object.path());
            std::fs::write(&path, "other bytes").unwrap();
            assert_eq!(prove(&cold, &written).unwrap_err().kind(), ErrorKind::Damaged);
            std::fs::remove_file(&path).unwrap();
            assert_eq!(prove(&cold, &written).unwrap_err().kind(), ErrorKind::Damaged);
            std::fs::write(&path, content).unwrap();
        }
    }

    #[test]
    fn without_a_snapshot_there_is_nothing_to_prove() {
        let folder = tempfile::tempdir().unwrap();
        let cold = LocalDirectory::<Append>::new(folder.path());

        assert_eq!(prove(&cold, &[]).unwrap_err().kind(), ErrorKind::Internal);
    }
}
