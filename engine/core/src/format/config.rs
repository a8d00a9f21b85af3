//! The repository's config.

use serde::Deserialize;
use serde_json::Value;

use super::{damaged, parse_object, seal::Seal};
use crate::{
    error::{Error, ErrorKind, Result},
    object::ObjectId,
};

/// Sealed or not; a config is a few hundred bytes.
pub const LARGEST_CONFIG_BYTES: usize = 64 << 10;
/// The only version of the format that we write and read.
const VERSION: u32 = 2;

/// What every repository says about itself; fields we do not use are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Config {
    version: u32,
    /// The repository's random id.
    pub id: ObjectId,
}

impl Config {
    /// Open the config object: [`Self::open_json`], then [`Self::parse`].
    pub fn open(sealed: &[u8], seal: &Seal) -> Result<Self> {
        Self::parse(&Self::open_json(sealed, seal)?)
    }

    /// All that the config object says, for writing it again with a change.
    /// What `seal` does not open is [`ErrorKind::WrongKey`], because a config that was changed
    /// and a key that is wrong look the same; what is no JSON object is [`ErrorKind::Damaged`].
    pub fn open_json(sealed: &[u8], seal: &Seal) -> Result<Value> {
        if sealed.len() > LARGEST_CONFIG_BYTES {
            return Err(damaged(format!("the config takes {} bytes", sealed.len())));
        }
        let json = seal.open_json(sealed, LARGEST_CONFIG_BYTES).map_err(|error| {
            let message = "the key does not open the repository's config";
            Error::caused_by(ErrorKind::WrongKey, message, error)
        })?;
        parse_object(&json, "the repository's config cannot be read")
    }

    /// Read the config's fields; [`ErrorKind::Damaged`] when one is missing or the version of the
    /// format is not ours.
    pub fn parse(json: &Value) -> Result<Self> {
        let config = Self::deserialize(json).map_err(|error| {
            Error::caused_by(ErrorKind::Damaged, "the repository's config cannot be read", error)
        })?;
        if config.version != VERSION {
            let version = config.version;
            return Err(damaged(format!(
                "repository format version {version} is not ours: expected {VERSION}"
            )));
        }
        Ok(config)
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

    fn json(version: u32) -> String {
        format!(r#"{{"version":{version},"id":"{ID}","new":[]}}"#)
    }

    fn refusal(plain: &[u8]) -> ErrorKind {
        Config::open(&seal(1).seal(plain).unwrap(), &seal(1)).unwrap_err().kind()
    }

    #[test]
    fn a_config_opens_with_its_key_alone() {
        let sealed = seal(1).seal(json(2).as_bytes()).unwrap();
        assert_eq!(Config::open(&sealed, &seal(1)).unwrap().id.to_hex(), ID);
        assert_eq!(Config::open(&sealed, &seal(2)).unwrap_err().kind(), ErrorKind::WrongKey);
    }

    #[test]
    fn the_json_keeps_what_we_do_not_use() {
        let sealed = seal(1).seal(json(2).as_bytes()).unwrap();
        let opened = Config::open_json(&sealed, &seal(1)).unwrap();
        assert_eq!(opened, serde_json::from_str::<Value>(&json(2)).unwrap());
    }

    #[test]
    fn other_versions_lists_and_large_ones_are_refused() {
        let list = format!(r#"[2,"{ID}"]"#);
        let large = format!("{}{}", json(2), " ".repeat(LARGEST_CONFIG_BYTES));
        for json in [&json(0), &json(1), &json(3), "{}", &list, &large] {
            assert_eq!(refusal(json.as_bytes()), ErrorKind::Damaged);
        }
    }
}
