//! A file system that is mounted in a source and lost in the middle of a run.

use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A file system in memory; gone when dropped, whoever still uses it.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounted at `folder`, which is made.
    pub fn at(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        mount("none", folder, "tmpfs", MountFlags::empty(), None).unwrap();
        Self(folder.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}
