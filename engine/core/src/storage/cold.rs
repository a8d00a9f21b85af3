//! Where cold lies, and how it is opened.

use std::{path::PathBuf, sync::Arc};

use super::{
    AppendStorage, ReadStorage,
    local::{Append, LocalDirectory, ReadOnly},
    s3::{Connection, Limits, S3Address},
};
use crate::{control::Control, error::Result};

/// The place of one repository.
#[derive(Debug, Clone)]
pub enum ColdPlace {
    /// A directory.
    Directory(PathBuf),
    /// A part of a bucket.
    S3(Box<S3Address>, Limits),
}

/// Cold, ready to be read and added to.
pub struct Cold {
    /// To read.
    pub read: Arc<dyn ReadStorage>,
    /// To read and to add.
    pub append: Arc<dyn AppendStorage>,
}

impl From<PathBuf> for ColdPlace {
    fn from(directory: PathBuf) -> Self {
        Self::Directory(directory)
    }
}

impl ColdPlace {
    /// Open what lies there, for the work of `control`; nothing is read or written yet.
    pub fn open(&self, control: &Arc<Control>) -> Result<Cold> {
        let cold = match self {
            Self::Directory(path) => Cold {
                read: Arc::new(LocalDirectory::<ReadOnly>::new(path)),
                append: Arc::new(LocalDirectory::<Append>::new(path)),
            },
            Self::S3(address, limits) => {
                let connection = Connection::new(address, *limits)?;
                Cold {
                    read: Arc::new(connection.open::<ReadOnly>()),
                    append: Arc::new(connection.open::<Append>()),
                }
            }
        };
        cold.read.attend(control);
        Ok(cold)
    }
}
