//! Where a component is: `oci://HOST[:PORT]/REPOSITORY` with a tag or digest. Stricter than docker's references: nothing is filled in.

use std::fmt;
use std::str::FromStr;

use mogbox_core::Digest;
use oci_client::Reference;

use crate::api::is_loopback;

/// How a location begins.
pub(crate) const SCHEME: &str = "oci://";

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    reference: Reference,
    digest: Option<Digest>,
}

/// Text that is no location.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no place in a registry, {fault}: expected one such as oci://ghcr.io/owner/add:1.0 or oci://localhost:5000/add@sha256:…"
)]
pub(crate) struct InvalidLocation {
    text: String,
    fault: &'static str,
}

impl Location {
    /// For the client.
    pub(super) fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Host and port.
    pub(crate) fn registry(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(self.registry())
    }

    /// The path below the host.
    pub(crate) fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The tag, where it names one and no digest.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.reference.tag().filter(|_| self.digest.is_none())
    }

    /// The digest of the manifest, where it names one.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Tag or digest, as in the registry's paths.
    pub(super) fn version(&self) -> String {
        self.digest.map_or_else(|| self.tag().unwrap_or_default().to_owned(), |digest| format!("sha256:{digest}"))
    }

    /// The last part of the repository.
    pub(crate) fn name(&self) -> &str {
        self.repository().rsplit('/').next().unwrap_or_default()
    }

    /// The same repository at a digest.
    pub(super) fn at(&self, digest: &Digest) -> String {
        format!("{SCHEME}{}/{}@sha256:{digest}", self.registry(), self.repository())
    }

    /// The same repository with some tag.
    pub(super) fn example(&self) -> String {
        format!("{SCHEME}{}/{}:1.0", self.registry(), self.repository())
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        let invalid = |fault| InvalidLocation { text: text.chars().take(200).collect(), fault };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| invalid("as it does not begin with oci://"))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| invalid("as it has no repository"))?;
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(invalid("as it begins with no host"));
        }
        let reference = Reference::try_from(rest).map_err(|_| invalid("as it is malformed"))?;
        let digest = reference.digest().map(|digest| digest.strip_prefix("sha256:").and_then(|digits| digits.parse().ok()));
        match digest {
            Some(None) => Err(invalid("as its digest is no SHA-256")),
            None if !path.contains(':') => Err(invalid("as it has neither tag nor digest")),
            digest => Ok(Self { reference, digest: digest.flatten() }),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.digest.is_some() { '@' } else { ':' };
        write!(f, "{SCHEME}{}/{}{mark}{}", self.registry(), self.repository(), self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_host_repository_and_tag_or_digest() {
        let digest = Digest::of(b"x");
        let by_tag: Location = "oci://ghcr.io/owner/tasks/add:1.0".parse().unwrap();
        assert_eq!(
            (by_tag.registry(), by_tag.repository(), by_tag.tag(), by_tag.name()),
            ("ghcr.io", "owner/tasks/add", Some("1.0"), "add")
        );
        let text = format!("oci://localhost:5000/add@sha256:{digest}");
        let by_digest: Location = text.parse().unwrap();
        assert_eq!((by_digest.tag(), by_digest.digest(), by_digest.to_string()), (None, Some(digest), text.clone()));
        let both: Location = format!("oci://localhost:5000/add:1.0@sha256:{digest}").parse().unwrap();
        assert_eq!((both.tag(), both.to_string()), (None, text));
        assert_eq!(by_tag.at(&digest), format!("oci://ghcr.io/owner/tasks/add@sha256:{digest}"));
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for (text, expected) in [("localhost:5000", true), ("127.0.0.1:5000", true), ("ghcr.io", false), ("localhost.example:80", false)] {
            let location: Location = format!("oci://{text}/add:1").parse().unwrap();
            assert_eq!(location.is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_location_is_refused_with_the_fault_and_an_example() {
        let cases = [
            ("add.wasm", "oci://"),
            ("oci://localhost:5000", "repository"),
            ("oci://owner/add:1", "host"),
            ("oci://localhost:5000/add", "neither tag nor digest"),
            ("oci://localhost:5000/ADD:1", "malformed"),
            ("oci://localhost:5000/a/../b:1", "malformed"),
            ("oci://user@localhost:5000/add:1", "malformed"),
            ("oci://localhost:5000/add@sha256:abc", "malformed"),
            (&format!("oci://localhost:5000/add@sha512:{}", "a".repeat(128)), "SHA-256"),
        ];
        for (text, fault) in cases {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains("oci://ghcr.io/owner/add:1.0"), "{error}");
        }
    }
}
