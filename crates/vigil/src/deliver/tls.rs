//! Trust and identity: the system's certificate authorities (Mozilla's where the system has none) or given ones, and
//! the certificate we show, where there is one.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The largest PEM file that is read: 4 MiB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What a connection is made with, beside its address. Defaults to the system's authorities and no certificate.
#[derive(Clone, Default)]
pub struct Tls {
    roots: Option<Arc<RootCertStore>>,
    identity: Option<Arc<Identity>>,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// A certificate or key cannot be used. Says which file and why, never what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// Takes the authorities in a PEM file instead of the system's.
    ///
    /// # Errors
    /// The file cannot be read, or has no certificate that can be one of an authority.
    pub fn trust(&mut self, file: &Path) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(file)?);
        if roots.is_empty() {
            return Err(error(file, "no certificate of an authority in it"));
        }
        self.roots = Some(Arc::new(roots));
        Ok(())
    }

    /// Shows the certificate in `chain` (and those above it) to servers that ask, with the private key in `key`.
    ///
    /// # Errors
    /// A file cannot be read, has no certificate or no key, or the two do not belong together.
    pub fn identify(&mut self, chain: &Path, key: &Path) -> Result<(), TlsError> {
        let certificates = certificates(chain)?;
        let private = PrivateKeyDer::from_pem_slice(&read(key)?);
        let private = private.map_err(|_| error(key, "no private key in PEM form in it"))?;
        let identity = Identity { chain: certificates, key: private };
        let tried = builder().and_then(|builder| {
            builder
                .with_root_certificates(RootCertStore::empty())
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        });
        tried.map_err(|why| error(key, &format!("not the key of the certificate: {why}")))?;
        self.identity = Some(Arc::new(identity));
        Ok(())
    }
}

fn error(file: &Path, why: &str) -> TlsError {
    TlsError { file: file.to_owned(), why: why.to_owned() }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let size = std::fs::metadata(file).map_err(|why| error(file, &why.kind().to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(error(file, "more than 4 MiB"));
    }
    std::fs::read(file).map_err(|why| error(file, &why.kind().to_string()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(error(file, "no certificate in PEM form in it")),
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let subjects = |tls: &Self| {
            let subjects = tls.roots.as_ref()?.subjects();
            Some(subjects.iter().map(|subject| subject.as_ref().to_vec()).collect::<Vec<_>>())
        };
        let chain = |tls: &Self| tls.identity.as_ref().map(|identity| identity.chain.clone());
        subjects(self) == subjects(other) && chain(self) == chain(other)
    }
}

impl Eq for Tls {}

/// Shows how many certificates there are, and no key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.as_ref().map(|roots| roots.len()))
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

/// The provider is named here rather than taken from the process, whose default belongs to the host.
fn builder() -> Result<Builder, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

/// What connections are made with. Without `needs_roots`, for a destination that is not encrypted, the system's
/// certificates are not read.
pub(crate) fn client_config(needs_roots: bool, tls: &Tls) -> Result<ClientConfig, rustls::Error> {
    let roots = match &tls.roots {
        Some(given) => Arc::clone(given),
        None if needs_roots => roots(),
        None => Arc::new(RootCertStore::empty()),
    };
    let builder = builder()?.with_root_certificates(roots);
    match &tls.identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key()),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Read once in the life of the process: it takes tens of milliseconds.
fn roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        // A certificate that does not parse is the system's problem and must not cost the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(read))
}
