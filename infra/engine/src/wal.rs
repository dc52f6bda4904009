//! One sync of the write-ahead log.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The log's file, opened when it is first needed and again when another file has taken its name.
pub(crate) struct Wal {
    path: PathBuf,
    open: Option<(File, u64)>,
}

impl Wal {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Waits until everything that was written to the log before this call is on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let inode = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.ino(),
            // No log: nothing is written outside the database, which SQLite syncs before it removes a log.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.open = None;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let file = match self.open.take() {
            Some((file, known)) if known == inode => file,
            _ => File::open(&self.path)?,
        };
        let inode = file.metadata()?.ino();
        file.sync_data()?;
        self.open = Some((file, inode));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_not_there_yet_or_was_replaced_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db-wal");
        let mut wal = Wal::new(path.clone());
        wal.sync().unwrap();
        assert!(wal.open.is_none());

        fs::write(&path, "one").unwrap();
        wal.sync().unwrap();
        let first = wal.open.as_ref().unwrap().1;

        // The first file stays open, so that its inode cannot be given out again.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "two").unwrap();
        wal.sync().unwrap();
        assert_ne!(wal.open.as_ref().unwrap().1, first);

        fs::remove_file(&path).unwrap();
        wal.sync().unwrap();
        assert!(wal.open.is_none());
    }
}
