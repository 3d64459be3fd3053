//! Who we are to a registry: what was given, or else what `docker login` stored. Never shown.

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential};
use oci_client::secrets::RegistryAuth;

use super::Location;

/// The name under which docker keeps the login of its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A login, or nobody.
pub(super) struct Credentials {
    auth: RegistryAuth,
    /// Why there is none, where one should have been: of interest only once the registry refuses.
    fault: Option<String>,
}

impl Credentials {
    /// The login for a registry.
    pub(super) fn find(location: &Location, login: Option<(String, String)>) -> Self {
        if let Some((user, password)) = login {
            return Self { auth: RegistryAuth::Basic(user, password), fault: None };
        }
        let server = if location.registry() == "index.docker.io" { DOCKER_HUB } else { location.registry() };
        Self::of_docker(get_credential(server))
    }

    fn of_docker(found: Result<DockerCredential, CredentialRetrievalError>) -> Self {
        let nobody = |fault| Self { auth: RegistryAuth::Anonymous, fault };
        match found {
            Ok(DockerCredential::UsernamePassword(user, password)) => Self { auth: RegistryAuth::Basic(user, password), fault: None },
            Ok(DockerCredential::IdentityToken(_)) => {
                nobody(Some("docker has an identity token for it, which is not supported".to_owned()))
            }
            Err(
                CredentialRetrievalError::NoCredentialConfigured
                | CredentialRetrievalError::ConfigNotFound
                | CredentialRetrievalError::ConfigReadError,
            ) => nobody(None),
            // What a helper prints may be a secret.
            Err(CredentialRetrievalError::HelperFailure { helper, .. }) => nobody(Some(format!("{helper} has no login for it"))),
            Err(error) => nobody(Some(format!("docker's config is of no use: {error}"))),
        }
    }

    /// For the client.
    pub(super) fn auth(&self) -> &RegistryAuth {
        &self.auth
    }

    /// The registry wants somebody else.
    pub(super) fn refused(&self, location: &Location) -> anyhow::Error {
        let who = match &self.auth {
            RegistryAuth::Basic(user, _) => format!("user {user:?}"),
            _ => "a caller without a login".to_owned(),
        };
        let fault = self.fault.as_ref().map_or_else(String::new, |fault| format!(" ({fault})"));
        anyhow::anyhow!(
            "{} refuses {who} at {}{fault}: log in with `docker login`, or set MOGBOX_REGISTRY_USER and MOGBOX_REGISTRY_PASSWORD",
            location.registry(),
            location.repository(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_who_was_refused_and_the_way_out_but_no_secret() {
        let location: Location = "oci://ghcr.io/owner/add:1".parse().unwrap();
        let known = Credentials::find(&location, Some(("ann".into(), "s3cret".into()))).refused(&location).to_string();
        assert!(known.contains("\"ann\"") && known.contains("docker login") && !known.contains("s3cret"), "{known}");
        let failure = CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".into(),
            stdout: "s3cret".into(),
            stderr: String::new(),
        };
        let nobody = Credentials::of_docker(Err(failure)).refused(&location).to_string();
        assert!(
            nobody.contains("docker-credential-x") && nobody.contains("MOGBOX_REGISTRY_USER") && !nobody.contains("s3cret"),
            "{nobody}"
        );
    }

    #[test]
    fn without_a_config_of_docker_we_are_nobody() {
        let nobody = Credentials::of_docker(Err(CredentialRetrievalError::ConfigReadError));
        assert!(*nobody.auth() == RegistryAuth::Anonymous && nobody.fault.is_none());
    }
}
