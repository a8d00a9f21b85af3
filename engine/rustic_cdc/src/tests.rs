//! The hash against its definition, byte for byte.

use super::*;

/// The one that `rustic_core` takes where a repository names none, and one of the lowest degree.
const MODULI: [Polynom64; 2] = [0x003D_A335_8B4D_C173, 0x011B];

/// Bytes without a pattern, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// The fingerprint as it is defined: all bytes as one polynomial, divided.
fn fingerprint(bytes: &[u8], modulus: Polynom64) -> Polynom64 {
    bytes.iter().fold(0, |hash: u64, byte| ((hash << 8) | u64::from(*byte)).modulo(&modulus))
}

fn prefilled(bits: u32, modulus: Polynom64, bytes: &[u8]) -> Rabin64 {
    let mut rabin = Rabin64::new_with_polynom(bits, &modulus);
    rabin.reset_and_prefill_window(&mut bytes.iter().copied());
    rabin
}

#[test]
fn it_is_the_fingerprint_of_the_window_wherever_that_is() {
    for (modulus, bits) in MODULI.iter().flat_map(|m| [2, 6, 8].map(|bits| (*m, bits))) {
        let (bytes, window) = (noise(2000), 1 << bits);
        let mut rabin = prefilled(bits, modulus, &bytes);
        assert_eq!(rabin.hash, fingerprint(&bytes[..window - 1], modulus));
        for end in window..=bytes.len() {
            rabin.slide(bytes[end - 1]);

            assert_eq!(rabin.hash, fingerprint(&bytes[end - window..end], modulus), "{bits} {end}");
        }
    }
}

#[test]
fn it_forgets_what_was_before_when_it_begins_anew() {
    let bytes = noise(1000);
    let mut used = prefilled(6, MODULI[0], &bytes);
    bytes.iter().for_each(|byte| used.slide(*byte));
    used.reset_and_prefill_window(&mut bytes[500..].iter().copied());
    let mut fresh = prefilled(6, MODULI[0], &bytes[500..]);
    for byte in &bytes {
        used.slide(*byte);
        fresh.slide(*byte);

        assert_eq!(used.hash, fresh.hash);
    }
}

#[test]
fn a_division_leaves_what_is_of_a_lower_degree() {
    assert_eq!((0_u64.degree(), 1_u64.degree(), 0x80_u64.degree()), (-1, 0, 7));
    assert_eq!((7_u64.modulo(&3), 7_u64.modulo(&4), 16_u64.modulo(&8)), (1, 3, 0));
}

#[test]
#[should_panic(expected = "degree 60")]
fn a_polynomial_whose_hash_would_not_fit_is_refused() {
    let _ = Rabin64::new_with_polynom(6, &(1 << 60));
}
