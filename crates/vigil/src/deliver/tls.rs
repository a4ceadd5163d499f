//! Trust: the system's certificate authorities, or Mozilla's where the system has none.

use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};

/// What connections are made with. Without `needs_roots`, for a destination that is not encrypted, the system's
/// certificates are not read.
pub(super) fn client_config(needs_roots: bool) -> Result<ClientConfig, rustls::Error> {
    let roots = if needs_roots { roots() } else { Arc::new(RootCertStore::empty()) };
    // The provider is named here rather than taken from the process, whose default belongs to the host.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
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
