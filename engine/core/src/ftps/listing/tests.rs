//! Listings as servers write them, and as none should.

use super::*;

fn names(listing: &Listing) -> Vec<&[u8]> {
    listing.entries.iter().map(|entry| entry.name.as_slice()).collect()
}

fn only(listing: Result<Listing, Unbelievable>) -> Entry {
    let mut entries = listing.unwrap().entries;
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

#[test]
fn facts_are_taken_in_any_order_and_case() {
    let entry = only(machine_listing(
        b"Size=7;TYPE=File;modify=20260102030405.678;UNIX.mode=0644;unique=1U2;x.y=z; a name\r\n",
    ));

    assert_eq!((entry.name.as_slice(), &entry.kind), (b"a name".as_slice(), &Kind::File));
    assert_eq!((entry.size_bytes, entry.mode), (Some(7), Some(0o644)));
    assert_eq!(entry.unique.as_deref(), Some(b"1U2".as_slice()));
    assert_eq!(entry.modified, moment(b"20260102030405"));
    assert!(entry.modified.is_some());
}

#[test]
fn names_are_bytes_with_all_their_spaces() {
    let listed =
        machine_listing(b"type=file;  two spaces \r\ntype=file; caf\xe9\xff;x\r\n").unwrap();

    assert_eq!(names(&listed), [b" two spaces ".as_slice(), b"caf\xe9\xff;x"]);
}

#[test]
fn each_server_has_its_own_word_for_a_link() {
    for (fact, target) in [
        ("OS.unix=symlink", None),
        ("OS.unix=slink:", None),
        ("OS.unix=slink:../Where", Some(b"../Where".to_vec())),
        ("os.UNIX=slink", None),
    ] {
        let line = format!("type={fact};size=3; link\r\n");

        assert_eq!(only(machine_listing(line.as_bytes())).kind, Kind::Link(target), "{fact}");
    }
}

#[test]
fn the_folder_itself_is_no_entry_of_it() {
    let listed = b"type=cdir; /pub\r\ntype=pdir; /\r\ntype=dir; ..\r\ntype=dir; .\r\n";

    let listing = machine_listing(listed).unwrap();
    assert_eq!(listing, Listing { shows_itself: true, ..Listing::default() });
    assert!(!listing.is_blank() && Listing::default().is_blank());
}

#[test]
fn what_ls_lists_is_understood() {
    let listed = long_listing(
        b"total 12\r\n\
        drwxr-xr-x    2 1000     1000         4096 Jan 02  2020 .\r\n\
        drwxr-xr-x    2 1000     1000         4096 Jan 02  2020 ..\r\n\
        drwxrwsr-t    2 1000     domain users 4096 Feb 29 23:59 folder\r\n\
        -rwSr--r-x    1 1000     1000            7 Dec 31  1969   spaced \r\n\
        lrwxrwxrwx    1 1000     1000            6 Jan 02 03:04 a -> b -> c -> d\r\n\
        prw-r--r--    1 1000     1000            0 Jan 02 03:04 pipe\r\n\
        crw-r--r--    1 0        0          1,   3 Jan 02 03:04 null\r\n",
    )
    .unwrap();

    let found = listed.entries.iter().map(|entry| (entry.name.as_slice(), &entry.kind, entry.mode));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            (b"  spaced ".as_slice(), &Kind::File, Some(0o4645)),
            (b"a -> b", &Kind::Link(Some(b"c -> d".to_vec())), Some(0o777)),
            (b"folder", &Kind::Folder, Some(0o3775)),
            (b"null", &Kind::Other, Some(0o644)),
            (b"pipe", &Kind::Other, Some(0o644)),
        ]
    );
    assert!(listed.entries.iter().all(|entry| entry.modified.is_none()), "a minute is not enough");
}

#[test]
fn a_name_of_spaces_is_one() {
    let listed = b"-rw-r--r--    1 0        0              13 Nov 27 08:31  \r\n\
        -rw-r--r--    1 0        0              13 Nov 27 08:31    \r\n";

    assert_eq!(names(&long_listing(listed).unwrap()), [b" ".as_slice(), b"   "]);
}

#[test]
fn a_link_whose_length_is_another_is_parted_at_the_first_arrow() {
    let entry = only(long_listing(b"lrwxrwxrwx 1 u g 99 Jan 02 03:04 link -> target\r\n"));

    assert_eq!(entry.name, b"link");
    assert_eq!(entry.kind, Kind::Link(Some(b"target".to_vec())));
}

#[test]
fn one_line_that_is_not_understood_fails_the_folder() {
    for line in [
        "no facts",
        "type=file;",
        "type=file; ",
        "size=7; untyped",
        "type=file;size=many; x",
        "type=file;size=-7; x",
        "second line of a name",
    ] {
        let listed = format!("type=file;size=1; good\r\n{line}\r\n");
        assert!(machine_listing(listed.as_bytes()).is_err(), "{line}");
    }
    for line in [
        "ls: cannot open directory",
        "-rw-r--r-- 1 u g 7 Jan 02 03:04",
        "-rw-r--r-- 1 u g 7 Jan 02 03:04 ",
        "-rw-r--r-- 1 u g seven Jan 02 03:04 x",
        "-rw-r--r-- 1 u g 7 Jan 32 03:04 x",
        "-rw-r--r-- 1 u g 7 2026-01-02 03:04 x",
        "lrwxrwxrwx 1 u g 7 Jan 02 03:04 no arrow",
        "second line of a name",
        "total unknown",
    ] {
        let listed = format!("-rw-r--r-- 1 u g 7 Jan 02 03:04 good\r\n{line}\r\n");
        assert!(long_listing(listed.as_bytes()).is_err(), "{line}");
    }
}

#[test]
fn a_name_that_comes_twice_is_not_believed() {
    let told = machine_listing(b"type=file; x\r\ntype=dir; x\r\n").unwrap_err();

    assert_eq!(told.0, "the name \"x\" is listed twice");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = format!("type=file; {}\r\n", "x".repeat(LONGEST_NAME_BYTES + 1));
    let listed = [b"type=file; ../up\r\ntype=file; /etc\r\ntype=file; a\0b\r\n", long.as_bytes()];

    let found = machine_listing(&listed.concat()).unwrap();

    assert_eq!(found.entries, []);
    assert_eq!(found.refused.len(), 4);
    assert_eq!(found.refused[2], "a\\u{0}b");
}

#[test]
fn a_link_called_like_the_folder_itself_or_the_one_above_is_refused() {
    let listed =
        b"lrwxrwxrwx 1 u g 1 Jan 02 03:04 .. -> x\r\nlrwxrwxrwx 1 u g 1 Jan 02 03:04 . -> x";

    let found = long_listing(listed).unwrap();

    assert_eq!((found.entries, found.refused.len()), (Vec::new(), 2));
}

#[test]
fn a_listing_is_the_same_however_its_bytes_come() {
    let content = b"type=file;size=1; a\r\n\r\ntype=dir; b\ntype=file; c\r";
    let mut lister = Lister::of_machines();

    content.chunks(1).for_each(|byte| lister.push(byte));

    let listing = lister.listing();
    assert_eq!(listing, machine_listing(content));
    assert_eq!(names(&listing.unwrap()), [b"a", b"b", b"c"]);
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let mut lister = Lister::of_machines();

    for _ in 0..1000 {
        lister.push(&b"x".repeat(LONGEST_LINE_BYTES));
    }

    assert!(lister.rest.capacity() <= 4 * LONGEST_LINE_BYTES);
    assert!(lister.listing().is_err());
}

#[test]
fn a_line_that_is_too_long_is_not_taken_for_its_beginning() {
    let facts = "type=file;x=; ";
    let name = |bytes: usize| "type=file;x=".to_owned() + &"x".repeat(bytes) + "; ";
    let longest = name(LONGEST_LINE_BYTES - facts.len() - 1) + "a";

    let found = machine_listing((longest.clone() + "\r\n").as_bytes()).unwrap();

    assert_eq!(names(&found), [b"a"]);
    for rest in ["b", "\rb", "\r\r", "bc"] {
        assert!(machine_listing((longest.clone() + rest + "\r\n").as_bytes()).is_err(), "{rest:?}");
    }
}

#[test]
fn a_folder_of_more_lines_than_any_has_is_not_believed() {
    let mut lister = Lister::of_machines();
    let lines = b"type=cdir; .\n".repeat(1000);

    for _ in 0..MOST_LINES / 1000 {
        lister.push(&lines);
    }
    lister.push(b"type=file; one too many\n");

    let told = lister.listing().unwrap_err();
    assert_eq!(told.0, format!("it has more than {MOST_LINES} lines"));
}

#[test]
fn where_links_lead_is_taken_from_a_second_listing() {
    let mut listed =
        machine_listing(b"type=OS.unix=symlink; one\r\ntype=OS.unix=symlink; two\r\n").unwrap();
    let other = long_listing(b"lrwxrwxrwx 1 u g 5 Jan 02 03:04 one -> there\r\n").unwrap();

    listed.take_targets(other);

    let kinds: Vec<_> = listed.entries.into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Kind::Link(Some(b"there".to_vec())), Kind::Link(None)]);
}
