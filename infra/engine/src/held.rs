//! The database and the lock that keeps other processes away from it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dynoxide::Database;

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder cannot be made, or nothing can be written in it.
    #[error("the data folder {} cannot be written", folder.display())]
    Folder {
        /// The folder that holds the database.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another engine has the file open.
    #[error("the database {} is in use by another process", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} is not a database of this engine", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("the database {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The engine refused, for a reason of its own (a newer version's file, a full disk).
    #[error("the database cannot be opened: {0}")]
    Engine(String),
    /// The operating system gave no thread.
    #[error("the engine's threads cannot be started")]
    Thread(#[source] io::Error),
}

/// An open database. Dropped in the order of its fields: the lock goes last.
pub(crate) struct Held {
    pub(crate) database: Database,
    _lock: Option<File>,
}

impl Held {
    pub(crate) fn memory() -> Result<Self, OpenError> {
        let database = Database::memory().map_err(|error| OpenError::Engine(error.to_string()))?;
        Ok(Self { database, _lock: None })
    }

    pub(crate) fn file(path: &Path) -> Result<Self, OpenError> {
        let folder = folder_of(path);
        let unwritable = |source| OpenError::Folder { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(unwritable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside(path, ".lock"))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        check_header(path)?;
        let name = path.to_str().ok_or_else(|| OpenError::Engine(format!("{} is no UTF-8 path", path.display())))?;
        let open = || {
            let database = Database::new(name)?;
            // The pair leaves `synchronous=NORMAL`: no sync at a commit (`settle` does that for many at once).
            database.enable_bulk_loading()?;
            database.disable_bulk_loading()?;
            Ok(database)
        };
        let database = open().map_err(|error: dynoxide::DynoxideError| {
            let text = error.to_string();
            if text.contains("not a valid SQLite database") || text.contains("malformed") {
                OpenError::NotADatabase { path: path.to_owned() }
            } else {
                OpenError::Engine(text)
            }
        })?;
        // The names of new files are in the folder, which is a file of its own to the disk.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
        Ok(Self { database, _lock: Some(lock) })
    }
}

/// The path with something appended to the file's name, as `SQLite` does.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Says early and clearly that a file is something else. Safe here only: closing any descriptor of a database drops
/// the process's POSIX locks on it, so nothing may do this while `SQLite` has it open.
fn check_header(path: &Path) -> Result<(), OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let unreadable = |source| OpenError::Unreadable { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(unreadable(source)),
    };
    let mut start = Vec::with_capacity(MAGIC.len());
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(unreadable)?;
    if start.is_empty() || start == MAGIC { Ok(()) } else { Err(OpenError::NotADatabase { path: path.to_owned() }) }
}
