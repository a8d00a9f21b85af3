//! What is written and read here, against zstd itself.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Read;

use zstd_safe::{CCtx, CParameter, compress_bound, decompress, get_frame_content_size};

use crate::{
    bulk::{Decompressor, compress},
    stream::{copy_encode, decode_all, encode_all, read::Decoder},
};

/// Bytes of which some repeat, so that something is compressed.
fn piece(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = |index: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if index.is_multiple_of(3) { u8::try_from(state >> 56).unwrap() } else { b'a' }
    };
    (0..length).map(&mut next).collect()
}

/// A piece, compressed by zstd itself, that does not tell its length.
fn untold(plain: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(compress_bound(plain.len()));
    let mut context = CCtx::create();
    context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    context.compress2(&mut compressed, plain).unwrap();
    assert_eq!(get_frame_content_size(&compressed).unwrap(), None);
    compressed
}

/// What comes out when it is read so many bytes at a time.
fn in_parts(compressed: &[u8], length: usize) -> Vec<u8> {
    let mut decoder = Decoder::with_buffer(compressed).unwrap();
    let (mut all, mut part) = (Vec::new(), vec![0; length]);
    loop {
        match decoder.read(&mut part).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&part[..count]),
        }
    }
}

const LENGTHS: [usize; 9] = [0, 1, 2, 100, 4096, 65_537, 1 << 20, 9_000_000, 20_000_000];

#[test]
fn zstd_itself_reads_what_is_written_here_and_is_told_its_length() {
    for length in LENGTHS {
        let plain = piece(length);
        let compressed = encode_all(&plain, 0).unwrap();

        let mut opened = Vec::with_capacity(length);
        decompress(&mut opened, &compressed).unwrap();

        assert_eq!(opened, plain, "{length}");
        assert_eq!(get_frame_content_size(&compressed).unwrap(), Some(length as u64));
    }
}

#[test]
fn a_piece_is_read_at_once_and_in_parts_whether_it_tells_its_length_or_not() {
    for length in LENGTHS {
        let plain = piece(length);

        for compressed in [untold(&plain), encode_all(&plain, 5).unwrap()] {
            assert_eq!(decode_all(&compressed).unwrap(), plain, "{length}");
            assert_eq!(in_parts(&compressed, 1000), plain, "{length}");
        }
    }
}

#[test]
fn what_was_compressed_in_a_row_is_one() {
    let [first, second] = [piece(1000), piece(70_000)];
    let row = [compress(&first, 0).unwrap(), compress(b"", 0).unwrap(), untold(&second)].concat();
    let plain = [first, second].concat();

    assert_eq!(decode_all(&row).unwrap(), plain);
    assert_eq!(in_parts(&row, 70), plain);
}

#[test]
fn it_is_put_behind_what_is_there() {
    let mut out = vec![2];

    copy_encode(&piece(5000), &mut out, 0).unwrap();

    assert_eq!(out.remove(0), 2);
    assert_eq!(decode_all(&out).unwrap(), piece(5000));
}

#[test]
fn each_level_is_its_own() {
    let plain = piece(100_000);
    let lengths = [1, 19, 1].map(|level| encode_all(&plain, level).unwrap().len());

    assert_eq!(lengths[0], lengths[2]);
    assert!(lengths[1] < lengths[0]);
}

#[test]
fn what_is_damaged_is_an_error_and_the_next_piece_is_read() {
    let whole = encode_all(&piece(50_000), 0).unwrap();
    let mut lying = whole.clone();
    // The length that it tells stands behind four magic bytes and a descriptor.
    lying[5] ^= 1;
    let cut = &whole[..whole.len() - 1];
    let untold = untold(&piece(50_000));
    let cut_untold = &untold[..untold.len() - 1];

    for damaged in [cut, cut_untold, &whole[..3], b"", b"no zstd at all", &lying] {
        assert!(decode_all(damaged).is_err(), "{} bytes", damaged.len());
        let mut decoder = Decoder::with_buffer(damaged).unwrap();
        assert!(decoder.read_to_end(&mut Vec::new()).is_err(), "{} bytes", damaged.len());
    }
    assert_eq!(decode_all(&whole).unwrap(), piece(50_000));
}

#[test]
fn a_length_that_is_told_is_not_believed_beyond_what_a_blob_may_have() {
    // A header alone, that tells of a terabyte.
    let mut claim = vec![0x28, 0xB5, 0x2F, 0xFD, 0b1110_0000];
    claim.extend_from_slice(&(1_u64 << 40).to_le_bytes());

    assert!(decode_all(&claim).is_err());
}

#[test]
fn no_more_is_decompressed_than_there_is_room_for() {
    let compressed = compress(&piece(5000), 0).unwrap();
    let mut decompressor = Decompressor::default();

    assert!(decompressor.decompress(&compressed, 4999).is_err());
    assert_eq!(decompressor.decompress(&compressed, 5000).unwrap(), piece(5000));
}
