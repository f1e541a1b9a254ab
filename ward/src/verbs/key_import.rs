//! `ward key import`, `import-parameters`, `import-wrapped`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use envelope::secret::SecretBytes;
use kms_client::Client;
use kms_client::model::{ImportParameters, Key};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::{ImportArguments, ImportedKey, ParametersArguments, WrappedArguments};
use crate::error::{Failure, Reason};
use crate::output::{Answer, Format, answer};
use crate::text::time;

/// Seals the material here, and brings it.
pub(super) async fn import(client: &Client, asked: ImportArguments) -> Result<Key, Failure> {
    let material = der(read(&asked.from)?)?;
    let ImportedKey { name, key_type } = asked.key;
    let parameters = client.get_import_parameters(&name, key_type.0, None);
    let parameters = parameters.await?;
    let wrapped = parameters.wrap(&material)?;
    drop(material);
    Ok(client.import_key(&parameters.import_id, wrapped).await?)
}

/// Shows what another program seals with.
pub(super) async fn parameters(
    client: &Client,
    format: Format,
    asked: ParametersArguments,
) -> Result<(), Failure> {
    let ImportedKey { name, key_type } = asked.key;
    let ttl = Some(asked.ttl);
    let parameters = client.get_import_parameters(&name, key_type.0, ttl);
    answer(format, &ParametersView::from(parameters.await?))
}

/// Brings what another program has sealed.
pub(super) async fn wrapped(client: &Client, asked: WrappedArguments) -> Result<Key, Failure> {
    let wrapped = read(&asked.from)?.expose().to_vec();
    Ok(client.import_key(&asked.import.0, wrapped).await?)
}

/// Reads a small file that may be secret: no copy of it is left behind, and neither its bytes nor
/// its name, which may be material that was typed in the wrong place, are repeated.
fn read(path: &Path) -> Result<SecretBytes, Failure> {
    let what = "the file named by --from cannot be read";
    let failed = |error| Failure::io(what, &error);
    // It never grows, for that would leave a copy.
    let mut bytes = Zeroizing::new(vec![0; FILE_BYTES_MAX + 1]);
    let mut file = File::open(path).map_err(failed)?;
    let mut len = 0;
    while len < bytes.len() {
        match file.read(&mut bytes[len..]).map_err(failed)? {
            0 => break,
            read => len += read,
        }
    }
    match len {
        0 => Err(unfit("the file named by --from is empty")),
        len if len > FILE_BYTES_MAX => Err(unfit(
            "the file named by --from is longer than any key; name one that holds the key alone",
        )),
        len => Ok(SecretBytes::new(bytes[..len].to_vec())),
    }
}

/// What openssl writes unless told otherwise: a private key in PEM is taken out of it.
fn der(file: SecretBytes) -> Result<SecretBytes, Failure> {
    if !file.expose().starts_with(b"-----BEGIN ") {
        return Ok(file);
    }
    match PrivatePkcs8KeyDer::from_pem_slice(file.expose()) {
        Ok(key) => Ok(SecretBytes::new(key.secret_pkcs8_der().to_vec())),
        Err(_) => Err(unfit(
            "the file named by --from is PEM without a PRIVATE KEY; `openssl pkcs8 -topk8 -nocrypt` \
             makes one of another form",
        )),
    }
}

fn unfit(sentence: &str) -> Failure {
    Failure::new(Reason::INVALID_ARGUMENT, sentence)
}

/// What the cluster takes at most.
const FILE_BYTES_MAX: usize = 4_096;

/// Import parameters, as shown. Bytes are hexadecimal.
#[derive(Serialize)]
struct ParametersView {
    import_id: String,
    name: String,
    key_type: &'static str,
    suite: &'static str,
    public_key: String,
    info: String,
    expires: String,
}

impl From<ImportParameters> for ParametersView {
    fn from(parameters: ImportParameters) -> Self {
        Self {
            import_id: hex::encode(parameters.import_id),
            key_type: parameters.key_type.as_str(),
            suite: "HPKE base, X25519, HKDF-SHA256, AES-256-GCM",
            public_key: hex::encode(parameters.public_key),
            info: hex::encode(parameters.info()),
            expires: time(parameters.expires_ms),
            name: parameters.name,
        }
    }
}

impl Answer for ParametersView {
    fn text(&self) -> String {
        format!(
            "import id   {}\nname        {}\ntype        {}\nsuite       {}\npublic key  {}\n\
             info        {}\nexpires     {}\n",
            self.import_id,
            self.name,
            self.key_type,
            self.suite,
            self.public_key,
            self.info,
            self.expires
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_taken_out_of_pem_and_other_files_are_as_they_are() {
        let pem = "-----BEGIN PRIVATE KEY-----\nBwcHBwcHBwc=\n-----END PRIVATE KEY-----\n";
        let read = |text: &str| der(SecretBytes::new(text.into()));
        assert_eq!(read(pem).unwrap().expose(), [7; 8]);
        assert_eq!(read("-----").unwrap().expose(), b"-----");
        for other in ["ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE"] {
            let refused = read(&pem.replace("PRIVATE KEY", other)).err().unwrap();
            let told = format!("{refused:?}");
            assert!(told.contains("-nocrypt") && !told.contains("Bwc"), "{told}");
        }
    }

    #[test]
    fn only_small_files_are_read_and_no_refusal_repeats_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("canary");
        for (len, good) in [
            (1, true),
            (32, true),
            (4_096, true),
            (0, false),
            (4_097, false),
        ] {
            std::fs::write(&path, vec![7; len]).unwrap();
            let found = read(&path);
            assert_eq!(found.is_ok(), good, "{len}");
            let Err(refused) = found else { continue };
            assert!(!format!("{refused:?}").contains("canary"));
        }
        let missing = read(Path::new("canary-typed-instead-of-a-file"))
            .err()
            .unwrap();
        assert!(!format!("{missing:?}").contains("canary"), "{missing:?}");
    }
}
