//! The signature of an upload: how it travels, and whether it is one that the tenant asks for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mogbox_core::signature::{KeyId, MAX_SIGNATURE, PublicKey, Required, Signature, verify};

use super::problem::{Code, Problem};

/// The header: base64 of the text of a `.minisig` file.
pub(crate) const HEADER: &str = "mogbox-signature";

/// What a call says of a signature: checked for its form only.
pub(super) struct Signed(pub(super) Option<Signature>);

impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => read(value.as_bytes()).map(|signature| Self(Some(signature))),
            (Some(_), Some(_)) => Err(refused(format!("header {HEADER} is there more than once: expected one signature"))),
        }
    }
}

fn read(value: &[u8]) -> Result<Signature, Problem> {
    let malformed = || refused(format!("header {HEADER} is no base64 of the text of a .minisig file, of at most {MAX_SIGNATURE} bytes"));
    if value.len() > MAX_SIGNATURE.div_ceil(3) * 4 {
        return Err(malformed());
    }
    let text = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(malformed)?;
    text.parse().map_err(|error: mogbox_core::signature::Malformed| refused(error.to_string()))
}

/// A signature as the value of the header.
pub(crate) fn header_value(text: &str) -> String {
    STANDARD.encode(text)
}

/// Refuses, before anything is received, what has no signature where one is required.
pub(super) fn check_presence(keys: &[PublicKey], signature: Option<&Signature>) -> Result<(), Problem> {
    if keys.is_empty() || signature.is_some() {
        return Ok(());
    }
    let required = Required::of(keys);
    let way_out = "sign the file with `minisign -Sm FILE` and push it with `mogbox push FILE --signature FILE.minisig`";
    Err(Problem::new(Code::SignatureRequired, format!("this tenant takes modules signed by {required} only: {way_out}")))
}

/// The key that signed these bytes; none where none is required, whatever is signed.
pub(super) fn check(bytes: &[u8], keys: &[PublicKey], signature: Option<&Signature>) -> Result<Option<KeyId>, Problem> {
    check_presence(keys, signature)?;
    match signature.filter(|_| !keys.is_empty()) {
        Some(signature) => verify(bytes, keys, signature).map(Some).map_err(|error| refused(error.to_string())),
        None => Ok(None),
    }
}

/// Refuses to go back to a version that the tenant would not take today.
pub(super) fn check_known(signed_by: Option<KeyId>, keys: &[PublicKey]) -> Result<(), Problem> {
    if keys.is_empty() || signed_by.is_some_and(|id| keys.iter().any(|key| key.id() == id)) {
        return Ok(());
    }
    let by = signed_by.map_or_else(|| "not signed".to_owned(), |id| format!("signed by key {id}"));
    let detail =
        format!("that version is {by}, and this tenant takes modules signed by {} only: push it with a signature", Required::of(keys));
    Err(Problem::new(Code::SignatureRequired, detail))
}

fn refused(detail: String) -> Problem {
    Problem::new(Code::SignatureRefused, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use minisign::{KeyPair, sign};

    fn keys() -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = pair.pk.to_base64().parse().unwrap();
        (pair, key)
    }

    fn signed(pair: &KeyPair, bytes: &[u8]) -> String {
        sign(None, &pair.sk, std::io::Cursor::new(bytes), None, None).unwrap().into_string()
    }

    async fn extract(values: &[&str]) -> Result<Option<Signature>, Problem> {
        let builder = values.iter().fold(Request::builder(), |request, value| request.header(HEADER, *value));
        let (mut parts, ()) = builder.body(()).unwrap().into_parts();
        Signed::from_request_parts(&mut parts, &()).await.map(|signed| signed.0)
    }

    #[tokio::test]
    async fn what_travels_in_the_header_is_checked_against_the_keys_of_the_tenant() {
        let ((pair, key), (_, other)) = (keys(), keys());
        let signature = extract(&[&header_value(&signed(&pair, b"module"))]).await.unwrap();
        assert_eq!(check(b"module", std::slice::from_ref(&key), signature.as_ref()).unwrap(), Some(key.id()));
        assert_eq!(check(b"module", &[], signature.as_ref()).unwrap(), None);
        let refused = check(b"modulf", std::slice::from_ref(&key), signature.as_ref()).unwrap_err();
        assert!(refused.code == Code::SignatureRefused && refused.detail.contains(&key.id().to_string()), "{refused:?}");
        let refused = check(b"module", std::slice::from_ref(&other), signature.as_ref()).unwrap_err();
        let both = refused.detail.contains(&key.id().to_string()) && refused.detail.contains(&other.id().to_string());
        assert!(refused.code == Code::SignatureRefused && both, "{refused:?}");
    }

    #[test]
    fn where_a_signature_is_required_its_absence_is_answered_with_the_keys_and_the_way_out() {
        let (_, key) = keys();
        let refused = check_presence(std::slice::from_ref(&key), None).unwrap_err();
        assert_eq!(refused.code, Code::SignatureRequired);
        assert!(refused.detail.contains(&key.id().to_string()) && refused.detail.contains("--signature"), "{refused:?}");
        assert!(check_presence(&[], None).is_ok());
    }

    #[test]
    fn a_version_that_none_of_the_keys_signed_is_not_gone_back_to() {
        let ((_, key), (_, other)) = (keys(), keys());
        assert!(check_known(None, &[]).is_ok());
        assert!(check_known(Some(key.id()), &[other.clone(), key.clone()]).is_ok());
        let unsigned = check_known(None, std::slice::from_ref(&key)).unwrap_err();
        assert!(unsigned.detail.contains("not signed") && unsigned.detail.contains(&key.id().to_string()), "{unsigned:?}");
        assert_eq!(check_known(Some(other.id()), &[key]).unwrap_err().code, Code::SignatureRequired);
    }

    #[tokio::test]
    async fn a_header_that_is_no_signature_is_refused() {
        assert!(extract(&[]).await.unwrap().is_none());
        let long = header_value(&"x".repeat(MAX_SIGNATURE + 3));
        for bad in [&["***"][..], &[&header_value("no signature")], &[&long], &["aa==", "aa=="]] {
            assert_eq!(extract(bad).await.err().unwrap().code, Code::SignatureRefused);
        }
    }
}
