//! The suite: a directory and a bucket keep to the same.

use std::{fs, path::PathBuf, thread};

use bytes::Bytes;
use unstoppable_engine_core::{
    error::ErrorKind,
    object::{Object, ObjectId, ObjectKind},
    storage::{
        AppendStorage,
        local::{Append, LocalDirectory},
        s3::{Connection, Limits, S3Address},
    },
};

use super::server::{Server, ignores_conditions, place_given, short_limits};

/// Where what a storage holds can be reached without it.
enum Beneath {
    Files(PathBuf),
    Server(S3Address),
}

/// A storage, and what lies beneath it.
struct Storage {
    append: Box<dyn AppendStorage>,
    beneath: Beneath,
    overwrites: bool,
    _kept: Box<dyn std::any::Any>,
}

impl Storage {
    /// Have it hold objects of one byte below one of its folders, "" for itself.
    fn hold(&self, folder: &str, objects: &[Object]) {
        match &self.beneath {
            Beneath::Files(root) => {
                for object in objects {
                    let path = root.join(folder).join(object.path());
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "x").unwrap();
                }
            }
            Beneath::Server(place) => {
                let prefix = format!("{}/{folder}", place.prefix);
                let prefix = prefix.trim_end_matches('/').to_owned();
                put_all(&S3Address { prefix, ..place.clone() }, objects);
            }
        }
    }
}

/// Put objects of one byte, several at a time.
fn put_all(place: &S3Address, objects: &[Object]) {
    let limits = Limits::default();
    let storage = Connection::new(place, limits).unwrap().open::<Append>();
    thread::scope(|scope| {
        for some in objects.chunks(objects.len().div_ceil(limits.connections)) {
            let put = |object| storage.create(object, &[Bytes::from("x")]).unwrap();
            scope.spawn(move || some.iter().for_each(put));
        }
    });
}

fn directory() -> Storage {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().join("g1");
    let append = Box::new(LocalDirectory::<Append>::new(&folder));
    let beneath = Beneath::Files(folder);
    Storage { append, beneath, overwrites: false, _kept: Box::new(kept) }
}

fn bucket() -> Storage {
    if let Some(place) = place_given() {
        let connection = Connection::new(&place, Limits::default()).unwrap();
        return Storage {
            append: Box::new(connection.open::<Append>()),
            beneath: Beneath::Server(place),
            overwrites: ignores_conditions(),
            _kept: Box::new(()),
        };
    }
    let server = Server::start();
    let beneath = Beneath::Files(server.bucket("acme").join("www/g1"));
    let place = Server::place("acme", server.address);
    let append = Box::new(Connection::new(&place, short_limits()).unwrap().open::<Append>());
    Storage { append, beneath, overwrites: false, _kept: Box::new(server) }
}

/// Do the same with each storage.
fn each(test: impl Fn(&dyn AppendStorage, &Storage)) {
    for make in [directory, bucket] {
        let storage = make();
        storage.append.create_folders().unwrap();
        test(storage.append.as_ref(), &storage);
    }
}

fn object(kind: ObjectKind, content: &[u8]) -> Object {
    Object::Hashed(kind, ObjectId::of(content))
}

fn create(storage: &dyn AppendStorage, kind: ObjectKind, content: &'static str) -> Object {
    let object = object(kind, content.as_bytes());
    storage.create(&object, &[Bytes::from(content)]).unwrap();
    object
}

#[test]
fn what_was_created_is_listed_and_read() {
    each(|storage, _| {
        let object = object(ObjectKind::Pack, b"alice");

        storage.create(&object, &[Bytes::from("al"), Bytes::from("ice")]).unwrap();

        assert_eq!(storage.list(ObjectKind::Pack).unwrap(), [(ObjectId::of(b"alice"), 5)]);
        assert_eq!(storage.read(&object).unwrap().unwrap(), "alice");
        assert_eq!(storage.read_range(&object, 1, 3).unwrap(), "lic");
        assert_eq!(storage.read_range(&object, 0, 0).unwrap(), "");
        assert_eq!(storage.size(&object).unwrap(), Some(5));
    });
}

#[test]
fn the_sizes_of_many_are_those_of_each_however_much_is_there() {
    each(|storage, _| {
        let contents = ["", "a", "al", "ali", "alic", "alice", "bob", "carol", "dave", "eve"];
        for content in contents {
            create(storage, ObjectKind::Pack, content);
        }
        let mut ids = contents.map(|content| ObjectId::of(content.as_bytes())).to_vec();
        ids.insert(3, ObjectId::of(b"mallory"));
        let mut sizes = contents.map(|content| Some(content.len() as u64)).to_vec();
        sizes.insert(3, None);

        assert_eq!(storage.sizes(ObjectKind::Pack, &ids).unwrap(), sizes);
        // From now on a server can tell that they are few, and lists all of them at once.
        storage.list(ObjectKind::Pack).unwrap();
        assert_eq!(storage.sizes(ObjectKind::Pack, &ids).unwrap(), sizes);
        assert_eq!(storage.sizes(ObjectKind::Pack, &ids[..4]).unwrap(), sizes[..4]);
        assert_eq!(storage.sizes(ObjectKind::Index, &ids[..1]).unwrap(), [None]);
    });
}

#[test]
fn config_and_birth_lie_beside_the_folders() {
    each(|storage, _| {
        for (object, content) in [(Object::Config, "config"), (Object::Birth, "{}")] {
            assert_eq!(storage.read(&object).unwrap(), None);
            assert_eq!(storage.size(&object).unwrap(), None);
            storage.create(&object, &[Bytes::from(content)]).unwrap();
            assert_eq!(storage.read(&object).unwrap().unwrap(), content);
            assert_eq!(storage.size(&object).unwrap(), Some(content.len() as u64));
        }
    });
}

#[test]
fn nothing_is_there_before_it_was_created() {
    each(|storage, _| {
        for kind in ObjectKind::ALL {
            assert_eq!(storage.list(kind).unwrap(), []);
            assert_eq!(storage.read(&object(kind, b"alice")).unwrap(), None);
            assert_eq!(storage.size(&object(kind, b"alice")).unwrap(), None);
            assert!(storage.read_range(&object(kind, b"alice"), 0, 1).is_err());
        }
    });
}

#[test]
fn creating_the_same_again_succeeds_and_other_bytes_are_refused() {
    each(|storage, found| {
        let object = create(storage, ObjectKind::Index, "alice");

        storage.create(&object, &[Bytes::from("alice")]).unwrap();
        for other in ["mallory", "alic", "alicea", ""] {
            if found.overwrites {
                storage.create(&object, &[Bytes::from(other)]).unwrap();
                continue;
            }
            let error = storage.create(&object, &[Bytes::from(other)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
        }

        let kept = if found.overwrites { "" } else { "alice" };
        assert_eq!(storage.read(&object).unwrap().unwrap(), kept);
    });
}

#[test]
fn a_range_beyond_the_end_is_refused_before_memory_is_taken() {
    each(|storage, _| {
        let object = create(storage, ObjectKind::Pack, "alice");

        assert!(storage.read_range(&object, 0, usize::MAX).is_err());
        assert!(storage.read_range(&object, u64::MAX, 1).is_err());
        assert!(storage.read_range(&object, 3, 3).is_err());
        assert!(storage.read_range(&object, 5, 1).is_err());
    });
}

#[test]
fn an_object_that_takes_more_than_it_may_is_refused() {
    each(|storage, _| {
        let object = create(storage, ObjectKind::Snapshot, "alice");
        storage.create(&Object::Config, &[]).unwrap();

        assert_eq!(storage.read_at_most(&object, 5).unwrap().unwrap(), "alice");
        assert_eq!(storage.read_at_most(&object, 4).unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(storage.read_at_most(&Object::Birth, 9).unwrap(), None);
        assert_eq!(storage.read_at_most(&Object::Config, 9).unwrap().unwrap(), "");
    });
}

#[test]
fn what_is_no_object_is_not_listed_but_told() {
    each(|storage, found| {
        create(storage, ObjectKind::Pack, "alice");
        create(storage, ObjectKind::Index, "alice");
        let mut told = vec!["data/config".to_owned()];
        found.hold("index", &[Object::Config]);
        found.hold("data", &[Object::Config]);
        if let Beneath::Files(root) = &found.beneath {
            let elsewhere = format!("data/00/{}", "f".repeat(64));
            fs::create_dir_all(root.join("data/00")).unwrap();
            fs::write(root.join(&elsewhere), "x").unwrap();
            told.insert(0, elsewhere);
        }

        assert_eq!(storage.list(ObjectKind::Index).unwrap(), [(ObjectId::of(b"alice"), 5)]);
        assert_eq!(storage.list(ObjectKind::Pack).unwrap(), [(ObjectId::of(b"alice"), 5)]);
        assert_eq!(storage.strays(ObjectKind::Index, 9).unwrap(), ["index/config"]);
        let mut strays = storage.strays(ObjectKind::Pack, 9).unwrap();
        strays.sort();
        assert_eq!(strays, told);
        assert_eq!(storage.strays(ObjectKind::Pack, 1).unwrap().len(), 1);
    });
}

#[test]
fn all_of_a_long_listing_comes() {
    each(|storage, found| {
        let ids = (0..2500_u32).map(|number| ObjectId::of(&number.to_le_bytes()));
        let mut ids: Vec<_> = ids.map(|id| (id, 1)).collect();
        ids.sort_unstable();

        for kind in [ObjectKind::Snapshot, ObjectKind::Pack] {
            let objects: Vec<_> = ids.iter().map(|(id, _)| Object::Hashed(kind, *id)).collect();
            found.hold("", &objects);
            let mut listed = storage.list(kind).unwrap();
            listed.sort_unstable();
            assert_eq!(listed, ids);
        }
    });
}

#[test]
fn a_large_object_comes_back_in_parts_and_whole() {
    each(|storage, _| {
        let content: Vec<u8> = (0..20_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let object = object(ObjectKind::Pack, &content);

        storage.create(&object, &[Bytes::from(content.clone())]).unwrap();

        assert_eq!(storage.read_range(&object, 77_777_777, 9).unwrap(), content[77_777_777..][..9]);
        assert!(object.is_named_rightly(&storage.read(&object).unwrap().unwrap()));
    });
}
