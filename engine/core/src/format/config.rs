//! The repository's config.

use serde::Deserialize;

use super::{damaged, seal::Seal};
use crate::{
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// Far more than any config; it holds a dozen numbers.
const LIMIT_BYTES: usize = 1 << 20;

/// What every repository says about itself; fields we do not use are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Version of the format, 1 or 2.
    pub version: u32,
    /// The repository's random id.
    pub repository_id: ObjectId,
    /// The polynomial at which content is cut; the same in all of a repository's life.
    pub chunker_polynomial: u64,
}

#[derive(Deserialize)]
struct RawConfig {
    version: u32,
    id: ObjectId,
    chunker_polynomial: String,
}

impl Config {
    /// Open the config object. A MAC that is not the key's is [`ErrorKind::WrongKey`], because
    /// a config that was changed and a key that is wrong look the same.
    pub fn open(sealed: &[u8], seal: &Seal) -> Result<Self> {
        seal.open(sealed).map_err(|error| {
            let message = "this key does not open the repository's config";
            Error::caused_by(ErrorKind::WrongKey, message, error)
        })?;
        Self::parse(&seal.open_json(sealed, LIMIT_BYTES)?)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let raw: RawConfig = serde_json::from_slice(json).map_err(|error| {
            Error::caused_by(ErrorKind::Damaged, "the repository's config cannot be read", error)
        })?;
        if !matches!(raw.version, 1 | 2) {
            return Err(damaged(format!("version {} of the format is unknown", raw.version)));
        }
        let chunker_polynomial = u64::from_str_radix(&raw.chunker_polynomial, 16)
            .map_err(|_| damaged("the config's chunker polynomial is not a number"))?;
        Ok(Self { version: raw.version, repository_id: raw.id, chunker_polynomial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RepositoryKey;

    const ID: &str = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";

    fn seal(step: u8) -> Seal {
        let key = std::array::from_fn::<_, 64, _>(|place| {
            u8::try_from(place).unwrap().wrapping_mul(73) ^ step
        });
        Seal::new(&RepositoryKey::from_bytes(&key).unwrap())
    }

    fn json(version: u32, polynomial: &str) -> String {
        format!(
            r#"{{"version":{version},"id":"{ID}","chunker_polynomial":"{polynomial}","new":[]}}"#
        )
    }

    #[test]
    fn a_config_opens_with_its_key_alone() {
        let sealed = seal(1).seal(json(2, "3da3358b4dc173").as_bytes()).unwrap();
        let config = Config::open(&sealed, &seal(1)).unwrap();
        assert_eq!((config.version, config.chunker_polynomial), (2, 0x3d_a335_8b4d_c173));
        assert_eq!(config.repository_id.to_hex(), ID);
        assert_eq!(Config::open(&sealed, &seal(2)).unwrap_err().kind(), ErrorKind::WrongKey);
    }

    #[test]
    fn other_versions_and_broken_polynomials_are_refused() {
        for json in [json(0, "1"), json(3, "1"), json(2, "xyz"), "{}".to_owned()] {
            assert_eq!(Config::parse(json.as_bytes()).unwrap_err().kind(), ErrorKind::Damaged);
        }
        assert_eq!(Config::parse(json(1, "1").as_bytes()).unwrap().version, 1);
    }
}
