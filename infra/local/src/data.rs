//! The data folder: the database, and what the service made at its first start.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tidings_domain::ids::OrganizationId;
use tidings_runtime::settings::{EncryptionKeys, Secret};
use tidings_runtime::{Clock, Settings, random};

/// Where a local service keeps its data when nobody says otherwise.
pub(crate) const DEFAULT_FOLDER: &str = ".tidings";

/// A local service's data folder.
pub(crate) struct Folder(PathBuf);

/// Who a local service is.
#[derive(Clone)]
pub(crate) struct Identity {
    /// Signs tokens.
    pub(crate) secret: Secret,
    /// What endpoints' secrets and headers are sealed with. Without it they cannot be read again.
    pub(crate) encryption_keys: EncryptionKeys,
    /// The organization that the banner's token is for.
    pub(crate) organization: OrganizationId,
}

impl Folder {
    /// The folder at `path`, made when it is missing.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = || {
            format!("the data folder {} cannot be written (choose another with --data, or --memory)", path.display())
        };
        // Only its owner may read what callers sent.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(failed)?;
        Ok(Self(path.to_owned()))
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("tidings.db")
    }

    /// The secrets and organization: the settings' where they name them, else made at first use and kept.
    pub(crate) fn identity(&self, settings: &Settings) -> anyhow::Result<Identity> {
        let secret = match &settings.jwt_secret {
            Some(secret) => secret.clone(),
            None => self.kept("jwt-secret", new_secret)?.parse().context("the data folder's jwt-secret")?,
        };
        let encryption_keys = match &settings.encryption_keys {
            Some(keys) => keys.clone(),
            None => self.kept("encryption-key", new_secret)?.parse().context("the data folder's encryption-key")?,
        };
        let organization = self.kept("organization", || new_organization().to_string())?;
        let organization = organization.parse().context("the data folder's organization")?;
        Ok(Identity { secret, encryption_keys, organization })
    }

    /// Notes where the running service answers, for the other commands.
    pub(crate) fn note_address(&self, url: &str) -> anyhow::Result<()> {
        fs::write(self.address_file(), url).context("the data folder cannot be written")
    }

    /// Where the service that uses this folder answers.
    pub(crate) fn address(&self) -> Option<String> {
        fs::read_to_string(self.address_file()).ok()
    }

    fn address_file(&self) -> PathBuf {
        self.0.join("address")
    }

    fn kept(&self, name: &str, make: impl FnOnce() -> String) -> anyhow::Result<String> {
        let path = self.0.join(name);
        // Only the owner may read it, from the moment it exists.
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match opened {
            Ok(mut file) => {
                let text = make();
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .with_context(|| format!("writing {}", path.display()))?;
                Ok(text)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
            }
            Err(error) => Err(error).with_context(|| format!("writing {}", path.display())),
        }
    }
}

/// Of a service that keeps nothing.
pub(crate) fn passing_identity(settings: &Settings) -> anyhow::Result<Identity> {
    let secret = match &settings.jwt_secret {
        Some(secret) => secret.clone(),
        None => new_secret().parse()?,
    };
    let encryption_keys = match &settings.encryption_keys {
        Some(keys) => keys.clone(),
        None => new_secret().parse()?,
    };
    Ok(Identity { secret, encryption_keys, organization: new_organization() })
}

fn new_secret() -> String {
    random::bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn new_organization() -> OrganizationId {
    OrganizationId::new(Clock::system().now(), random::bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tidings_runtime::settings::Defaults;

    use super::*;

    fn settings(encryption_key: Option<&str>) -> Settings {
        let value = |name: &str| encryption_key.filter(|_| name == "TIDINGS_ENCRYPTION_KEY").map(str::to_owned);
        Settings::read(Defaults::Local, value).unwrap()
    }

    #[test]
    fn the_encryption_key_is_made_once_and_only_its_owner_may_read_it() {
        let place = tempfile::tempdir().unwrap();
        let keys = || Folder::open(place.path()).unwrap().identity(&settings(None)).unwrap().encryption_keys;
        let made = keys();
        assert_eq!(keys(), made);
        assert_ne!(passing_identity(&settings(None)).unwrap().encryption_keys, made);
        let file = fs::metadata(place.path().join("encryption-key")).unwrap();
        assert_eq!((file.len(), file.permissions().mode() & 0o777), (64, 0o600));
    }

    #[test]
    fn a_key_of_the_settings_goes_before_that_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let given = "a key from outside that is long enough";
        let identity = folder.identity(&settings(Some(given))).unwrap();
        assert_eq!(identity.encryption_keys.first().as_bytes(), given.as_bytes());
        assert!(!place.path().join("encryption-key").exists());
    }
}
