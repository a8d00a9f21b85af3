//! The rolling hash that decides where a file is cut into chunks: a Rabin fingerprint.
//!
//! It takes the place of the crate of this name, with the part of its interface that `rustic_core`
//! uses and the same results. `rustic_core` makes a hash for each file, and that crate calculates
//! all 512 entries of its tables anew each time: 0.12 ms, a ninth of the processor time of a backup
//! of small files (docs/benchmarks.md). Here they follow from 16 of them.
//!
//! Source: Michael O. Rabin, "Fingerprinting by Random Polynomials" (1981).

#![expect(clippy::indexing_slicing, reason = "each table has an entry for each byte")]

/// A polynomial over GF(2); bit n is the coefficient of xⁿ.
pub type Polynom64 = u64;

/// Arithmetic of polynomials.
pub trait Polynom {
    /// The highest power of x in it; -1 for zero.
    fn degree(&self) -> i32;

    /// What is left after a division by `divisor`, which is not zero.
    #[must_use]
    fn modulo(&self, divisor: &Self) -> Self;
}

impl Polynom for Polynom64 {
    fn degree(&self) -> i32 {
        63 - self.leading_zeros().cast_signed()
    }

    fn modulo(&self, divisor: &Self) -> Self {
        let mut rest = *self;
        while rest.degree() >= divisor.degree() {
            rest ^= divisor << (rest.degree() - divisor.degree());
        }
        rest
    }
}

/// What a hash over a sliding window can do.
pub trait RollingHash64 {
    /// Begin anew with the first bytes of `bytes`, one fewer than the window holds.
    fn reset_and_prefill_window(&mut self, bytes: &mut impl Iterator<Item = u8>);

    /// Move the window on by one byte.
    fn slide(&mut self, byte: u8);
}

/// A Rabin fingerprint of the last bytes.
#[derive(Clone, Debug)]
pub struct Rabin64 {
    /// The bytes in the window as a polynomial, modulo the one given.
    pub hash: Polynom64,
    /// What the byte that leaves the window had added to the hash.
    leaving: [Polynom64; 256],
    /// What the eight bits above the modulus become.
    reducing: [Polynom64; 256],
    /// By how much those bits lie above bit 0.
    reduced_shift: u32,
    /// The window, as far as `last_index`, with the next byte to leave at `index`.
    window: [u8; 256],
    index: u8,
    last_index: u8,
}

impl Rabin64 {
    /// A hash of `2^window_bits` bytes, at most 256, modulo a polynomial of a degree from 8 to 55.
    ///
    /// # Panics
    ///
    /// Where the window or the polynomial is none of these.
    #[must_use]
    pub fn new_with_polynom(window_bits: u32, modulus: &Polynom64) -> Self {
        assert!(window_bits <= 8, "a window of 2^{window_bits} bytes");
        let degree = modulus.degree();
        assert!((8..=55).contains(&degree), "a polynomial of degree {degree}");
        let last_index = u8::MAX >> (8 - window_bits);
        let leaving = |byte: Polynom64| {
            (0..last_index).fold(byte, |hash: Polynom64, _| (hash << 8).modulo(modulus))
        };
        let reducing = |bits: Polynom64| (bits << degree) | (bits << degree).modulo(modulus);
        Self {
            hash: 0,
            leaving: table(leaving),
            reducing: table(reducing),
            reduced_shift: degree.cast_unsigned() - 8,
            window: [0; 256],
            index: 0,
            last_index,
        }
    }

    /// Put a byte in the place of the one that leaves, and return that one.
    #[inline]
    fn exchange(&mut self, byte: u8) -> u8 {
        let left = std::mem::replace(&mut self.window[usize::from(self.index)], byte);
        self.index = self.index.wrapping_add(1) & self.last_index;
        left
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the hash has no more bits than those")]
    fn add(&mut self, byte: u8) {
        let above = (self.hash >> self.reduced_shift) as u8;
        self.hash = ((self.hash << 8) | u64::from(byte)) ^ self.reducing[usize::from(above)];
    }
}

impl RollingHash64 for Rabin64 {
    fn reset_and_prefill_window(&mut self, bytes: &mut impl Iterator<Item = u8>) {
        self.hash = 0;
        for byte in bytes.take(usize::from(self.last_index)) {
            self.exchange(byte);
            self.add(byte);
        }
        // The byte of before the window adds nothing when it leaves.
        self.window[usize::from(self.index)] = 0;
    }

    #[inline]
    fn slide(&mut self, byte: u8) {
        let left = self.exchange(byte);
        self.hash ^= self.leaving[usize::from(left)];
        self.add(byte);
    }
}

/// What `of` is for each byte. It is linear: what it is for a sum is the sum of what it is for
/// each term, so that the eight single bits tell all.
fn table(of: impl Fn(Polynom64) -> Polynom64) -> [Polynom64; 256] {
    let mut table = [0; 256];
    for bit in 0..8 {
        let (known, rest) = table.split_at_mut(1 << bit);
        let of_bit = of(1 << bit);
        for (entry, smaller) in rest.iter_mut().zip(known) {
            *entry = *smaller ^ of_bit;
        }
    }
    table
}

#[cfg(test)]
mod tests;
