//! Whatever happens on the way: a right answer or an error, and in time.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use unstoppable_engine_core::{
    control::Control,
    error::ErrorKind,
    object::{Object, ObjectId, ObjectKind},
    storage::{
        AppendStorage, ReadStorage,
        s3::{Append, Connection, Limits},
    },
};

use super::{
    proxy::{Asked, Fault},
    scene::{ALL, Call, LONGEST, READS, Scene},
    server::{Server, short_limits},
};

fn answer(head: &str, code: &str) -> Fault {
    let body = format!("<Error><Code>{code}</Code><Message>told by {code}</Message></Error>");
    Fault::Answer(head.to_owned(), body)
}

/// Only the second and later pages of a listing.
fn on_page_two(asked: &Asked, fault: &Fault) -> Fault {
    match asked.line.contains("continuation-token") {
        true => fault.clone(),
        false => Fault::None,
    }
}

#[test]
fn an_exchange_that_is_cut_is_made_again_or_fails() {
    let scene = Scene::new();
    let percents = match std::env::var_os("EVERY_PERCENT") {
        Some(_) => (1..100).collect(),
        None => vec![1, 50, 99],
    };
    for percent in percents {
        for fault in [Fault::CutRequest(percent), Fault::CutAnswer(percent)] {
            scene.once(&ALL, &fault);
        }
    }
    scene.always(&ALL, |_| Fault::CutAnswer(99));
    scene.always(&ALL, |_| Fault::CutRequest(50));
}

#[test]
fn bytes_move_no_faster_than_they_may() {
    let server = Server::start();
    server.bucket("acme");
    let limits = Limits { bytes_per_second: Some(1 << 20), ..short_limits() };
    let place = Server::place("acme", server.address);
    let storage = Connection::new(&place, limits).unwrap().open::<Append>();
    let content = Bytes::from(vec![7; 2 << 20]);
    let object = Object::Hashed(ObjectKind::Pack, ObjectId::of(&content));

    let took = |work: &dyn Fn()| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f32()
    };
    let uploaded = took(&|| storage.create(&object, std::slice::from_ref(&content)).unwrap());
    let read = || assert_eq!(storage.read(&object).unwrap().unwrap(), content);
    let downloaded = took(&read);

    for seconds in [uploaded, downloaded] {
        assert!((1.7..4.0).contains(&seconds), "{seconds}");
    }
}

#[test]
fn a_server_without_conditions_is_asked_before_anything_is_written() {
    let scene = Scene::new();
    scene.proxy.plan(|asked, _| match asked.headers.contains("if-none-match") {
        true => answer("501 Not Implemented", "NotImplemented"),
        false => Fault::None,
    });

    scene.call(Call::Create).unwrap();
    let refused = scene.storage.create(&scene.pack, &[Bytes::from("other")]).unwrap_err();
    scene.storage.create(&scene.pack, std::slice::from_ref(&scene.content)).unwrap();

    assert_eq!(refused.kind(), ErrorKind::Damaged);
    let asked = scene.proxy.asked();
    let methods: Vec<_> = asked.iter().map(|asked| &asked.line[..4]).collect();
    // Refused once, then looked for and written; the others are found and compared.
    assert_eq!(methods, ["PUT ", "GET ", "PUT ", "GET ", "GET ", "GET ", "GET "]);
    scene.call(Call::Read).unwrap();
}

#[test]
fn an_upload_whose_answer_is_lost_is_found_done() {
    let scene = Scene::new();
    scene.once(&ALL, &Fault::LoseAnswer);
    scene.once(&ALL, &answer("409 Conflict", "ConditionalRequestConflict"));
}

#[test]
fn a_refusal_on_a_later_page_fails_the_listing() {
    let scene = Scene::new();
    let denied = answer("403 Forbidden", "AccessDenied");
    let broken = answer("500 Internal Server Error", "InternalError");
    for fault in [denied, broken] {
        scene.always(&[Call::List], move |asked| on_page_two(asked, &fault));
    }
    scene.once(&ALL, &answer("500 Internal Server Error", "InternalError"));
}

#[test]
fn a_server_that_asks_to_slow_down_is_left_alone_as_long_as_it_asks() {
    let scene = Scene::new();
    let began = Instant::now();
    scene.once(&[Call::Read], &answer("503 Slow Down\r\nRetry-After: 2", "SlowDown"));
    assert!(began.elapsed() >= Duration::from_secs(2));

    let began = Instant::now();
    scene.always(&ALL, |_| answer("503 Slow Down\r\nRetry-After: 3600", "SlowDown"));
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for an hour");
}

#[test]
fn a_listing_that_is_not_whole_never_looks_like_one() {
    let scene = Scene::new();
    let cut = |body: Vec<u8>| body[..body.len() / 2].to_vec();
    let open = |body: Vec<u8>| without(&body, "NextContinuationToken").into_bytes();
    scene.once(&[Call::List, Call::Size], &Fault::Change(cut));
    scene.always(&[Call::List, Call::Size], move |_| Fault::Change(cut));
    scene.always(&[Call::List], move |_| Fault::Change(open));
}

fn without(body: &[u8], name: &str) -> String {
    let body = String::from_utf8_lossy(body);
    let (before, rest) = body.split_once(&format!("<{name}>")).unwrap();
    let (_, after) = rest.split_once(&format!("</{name}>")).unwrap();
    format!("{before}{after}")
}

#[test]
fn a_listing_without_an_end_ends() {
    let scene = Scene::new();
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated>\
                <NextContinuationToken>again</NextContinuationToken></ListBucketResult>";
    scene.always(&[Call::List, Call::Size], move |_| {
        Fault::Answer("200 OK".to_owned(), page.to_owned())
    });
}

#[test]
fn an_answer_that_is_too_long_is_not_taken() {
    let scene = Scene::new();
    let long = "x".repeat(17 << 20);
    scene.always(&[Call::List, Call::Range, Call::Size], move |_| {
        Fault::Answer("200 OK".to_owned(), long.clone())
    });
}

#[test]
fn bytes_that_change_on_their_way_to_the_server_are_not_stored() {
    let scene = Scene::new();
    let flip = |mut body: Vec<u8>| {
        body[77] ^= 1;
        body
    };
    scene.once(&[Call::Create], &Fault::ChangeRequest(flip));
    scene.always(&[Call::Create], move |_| Fault::ChangeRequest(flip));
}

#[test]
fn a_server_that_hangs_or_drips_is_given_up_in_time() {
    let scene = Scene::new();
    for fault in [Fault::Hang, Fault::HangInside, Fault::Drip(Duration::from_millis(20))] {
        thread::scope(|scope| {
            scene.proxy.plan({
                let fault = fault.clone();
                move |_, _| fault.clone()
            });
            for call in ALL {
                let scene = &scene;
                scope.spawn(move || assert!(scene.call(call).is_err()));
            }
        });
    }
    scene.is_well();
    scene.once(&READS, &Fault::HangInside);
}

#[test]
fn half_of_all_requests_failing_harms_nothing() {
    let scene = Scene::new();
    let faults = [
        answer("503 Service Unavailable", "ServiceUnavailable"),
        Fault::CutAnswer(50),
        Fault::CutRequest(50),
        Fault::LoseAnswer,
    ];
    scene.proxy.plan(move |_, number| match number % 2 {
        0 => faults[number / 2 % 4].clone(),
        _ => Fault::None,
    });
    for _ in 0..3 {
        ALL.iter().for_each(|call| scene.call(*call).unwrap());
    }
}

#[test]
fn what_will_not_pass_is_told_at_once_and_in_words() {
    let scene = Scene::new();
    let place = "s3://acme/www/g1: ";
    for (fault, told, kind) in [
        (
            answer("403 Forbidden", "AccessDenied"),
            "the server answered 403 AccessDenied, \"told by AccessDenied\"",
            ErrorKind::Denied,
        ),
        (
            answer("403 Forbidden", "RequestTimeTooSkewed"),
            "; the clock of this machine, or the server's, is wrong",
            ErrorKind::Storage,
        ),
        (
            answer("301 Moved Permanently\r\nLocation: http://elsewhere/", "PermanentRedirect"),
            "it sends elsewhere, to http://elsewhere/",
            ErrorKind::Storage,
        ),
        (answer("404 Not Found", "NoSuchBucket"), "404 NoSuchBucket", ErrorKind::Storage),
        (answer("200 OK", "x\u{1b}[31m"), "cannot", ErrorKind::Storage),
        (answer("418 I'm a teapot", "\u{1b}[31m"), "418 \\u{1b}[31m", ErrorKind::Storage),
    ] {
        let began = Instant::now();
        let error = scene.error(Call::Range, fault);
        assert_eq!(error.kind(), kind, "{}", error.chain());
        assert!(error.chain().contains(told) && error.chain().contains(place), "{}", error.chain());
        assert!(!error.chain().contains('\u{1b}'));
        assert!(began.elapsed() < Duration::from_secs(1), "{}", error.chain());
    }
}

#[test]
fn a_missing_bucket_is_an_error_and_no_empty_repository() {
    let server = Server::start();
    let place = Server::place("nobodys", server.address);
    let storage = Connection::new(&place, short_limits()).unwrap().open::<Append>();

    for error in [
        storage.list(ObjectKind::Snapshot).unwrap_err(),
        storage.read(&Object::Config).unwrap_err(),
        storage.size(&Object::Config).unwrap_err(),
        storage.create(&Object::Config, &[Bytes::from("x")]).unwrap_err(),
    ] {
        assert!(error.chain().contains("404 NoSuchBucket"), "{}", error.chain());
    }
}

#[test]
fn a_server_that_was_never_there_is_soon_told() {
    let server = Server::start();
    let mut place = Server::place("acme", server.address);
    for (endpoint, told) in [
        ("http://127.0.0.1:1", "the server cannot be reached"),
        ("https://127.0.0.1:1", "the server cannot be reached"),
        ("http://no.such.host.invalid", "the server cannot be reached"),
    ] {
        endpoint.clone_into(&mut place.endpoint);
        let storage = Connection::new(&place, short_limits()).unwrap().open::<Append>();
        let began = Instant::now();
        let error = storage.list(ObjectKind::Index).unwrap_err().chain();
        assert!(error.contains(told), "{error}");
        assert!(began.elapsed() < LONGEST);
    }
    place.endpoint = format!("https://{}", server.address);
    let storage = Connection::new(&place, short_limits()).unwrap().open::<Append>();
    let error = storage.list(ObjectKind::Index).unwrap_err().chain();
    assert!(error.contains("the server is not trusted"), "{error}");
}

#[test]
fn what_fails_while_a_server_is_away_shares_one_time() {
    let scene = Scene::new();
    scene.proxy.plan(|_, _| answer("503 Slow Down", "SlowDown"));
    let began = Instant::now();

    for _ in 0..20 {
        ALL.iter().for_each(|call| assert!(scene.call(*call).is_err()));
    }

    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    scene.is_well();
    scene.once(&ALL, &answer("503 Slow Down", "SlowDown"));
}

#[test]
fn time_that_passes_without_a_request_takes_no_patience() {
    let scene = Scene::new();
    thread::sleep(short_limits().patience + Duration::from_millis(200));

    scene.once(&[Call::Read], &answer("503 Slow Down", "SlowDown"));
}

#[test]
fn work_that_was_cancelled_waits_for_nobody() {
    let scene = Scene::new();
    scene.proxy.plan(|_, _| answer("503 Slow Down", "SlowDown"));
    let control = Arc::<Control>::default();
    scene.storage.attend(&control);
    let began = Instant::now();

    thread::scope(|scope| {
        let called = scope.spawn(|| scene.call(Call::Read));
        thread::sleep(Duration::from_millis(800));
        control.cancel();
        assert!(called.join().unwrap().is_err());
    });

    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    scene.is_well();
}

#[test]
fn only_these_requests_are_made_and_none_overwrites() {
    let scene = Scene::new();
    scene.proxy.plan(|_, _| Fault::None);
    ALL.iter().for_each(|call| scene.call(*call).unwrap());
    let pack = scene.pack.path();

    let asked = scene.proxy.asked();

    let page = "GET /acme?list-type=2&prefix=www/g1/snapshots/&delimiter=/";
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines[0], page);
    assert!(lines[1].starts_with(&format!("{page}&continuation-token=")));
    assert_eq!(lines[3], format!("GET /acme/www/g1/{pack}"));
    assert_eq!(lines[4], lines[3]);
    assert!(asked[4].headers.contains("range: bytes=4-1003"));
    assert_eq!(lines[5], format!("GET /acme?list-type=2&prefix=www/g1/{pack}&delimiter=/"));
    assert!(lines[6].starts_with("PUT /acme/www/g1/index/"));
    assert!(asked[6].headers.contains("if-none-match: *"));
    assert!(asked[6].headers.contains("x-amz-checksum-crc32c: "));
    assert_eq!(lines.len(), 7);
}
