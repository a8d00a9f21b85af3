//! Reading all data in turns: each pack belongs to one of several parts, by its name.

use crate::{
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// More parts than days in a quarter would leave damage unseen for too long.
const MOST_PARTS: u32 = 100;

/// A part of the packs, such as the third of twenty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    number: u32,
    count: u32,
}

impl Part {
    /// All packs.
    pub const ALL: Self = Self { number: 1, count: 1 };

    /// The part `number`, from 1, of `count`, at most 100.
    pub fn new(number: u32, count: u32) -> Result<Self> {
        if (1..=count.min(MOST_PARTS)).contains(&number) && count <= MOST_PARTS {
            return Ok(Self { number, count });
        }
        let message = format!("there is no part {number} of {count}: at most {MOST_PARTS} parts");
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    /// Whether `pack` belongs to it: the first 8 bytes of its id, divided by the count, leave
    /// one less than the number.
    pub fn holds(self, pack: ObjectId) -> bool {
        let place = pack.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        place % u64::from(self.count) == u64::from(self.number - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pack_belongs_to_exactly_one_part() {
        for count in [1, 2, 7, 20, 100] {
            let parts: Vec<_> =
                (1..=count).map(|number| Part::new(number, count).unwrap()).collect();
            for byte in 0..=255 {
                let pack = ObjectId::of(&[byte]);
                assert_eq!(parts.iter().filter(|part| part.holds(pack)).count(), 1);
            }
        }
        let mut pack = ObjectId([0; 32]);
        pack.0[7] = 22;
        assert!(Part::new(3, 20).unwrap().holds(pack) && Part::ALL.holds(pack));
    }

    #[test]
    fn parts_that_do_not_exist_are_refused() {
        for (number, count) in [(0, 0), (0, 1), (2, 1), (1, 0), (101, 101), (1, u32::MAX)] {
            assert_eq!(Part::new(number, count).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
