//! What a tenant's tasks may send and where: a list of rules, of which one must allow a request. Without rules nothing is sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::target::{parse_host, parse_port};
use super::{FetchError, OutgoingRequest, Scheme};

/// Rules of one tenant.
pub const MAX_RULES: usize = 100;

/// Bytes of a rule's text.
const MAX_TEXT: usize = 1_024;

/// A rule that is none, with what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid rule {rule:?}: {reason}; expected [METHODS] SCHEME://HOST[:PORT], such as GET,POST https://*.example.com:8443")]
pub struct InvalidRule {
    rule: String,
    reason: String,
}

/// Which methods.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Methods {
    Any,
    These(Vec<String>),
}

/// Which hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// Those below a name, not the name itself.
    Below(String),
    Exact(String),
}

/// Which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    Any,
    One(u16),
}

/// One thing that is allowed. Written as `GET,POST https://*.example.com:8443`: without methods all of them, without a port that of the
/// scheme, `*` for any host or port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct HttpRule {
    methods: Methods,
    scheme: Scheme,
    host: HostPattern,
    ports: Ports,
    private: bool,
}

impl HttpRule {
    /// The same rule, for addresses of the node's own machine and network too. For the operator alone to say.
    #[must_use]
    pub fn private(self) -> Self {
        Self { private: true, ..self }
    }

    /// Whether it also allows addresses of the node's own machine and network.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private
    }

    fn allows(&self, request: &OutgoingRequest) -> bool {
        let target = &request.target;
        let method = match &self.methods {
            Methods::Any => true,
            Methods::These(methods) => methods.contains(&request.method),
        };
        let host = match &self.host {
            HostPattern::Any => true,
            HostPattern::Exact(host) => host == target.host(),
            HostPattern::Below(name) => target.host().strip_suffix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        };
        let port = match self.ports {
            Ports::Any => true,
            Ports::One(port) => port == target.port(),
        };
        method && host && port && self.scheme == target.scheme()
    }
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Methods::These(methods) = &self.methods {
            write!(f, "{} ", methods.join(","))?;
        }
        write!(f, "{}://", self.scheme)?;
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Below(name) => write!(f, "*.{name}")?,
            HostPattern::Exact(host) => f.write_str(host)?,
        }
        match self.ports {
            Ports::Any => f.write_str(":*"),
            Ports::One(port) if port == self.scheme.default_port() => Ok(()),
            Ports::One(port) => write!(f, ":{port}"),
        }
    }
}

impl FromStr for HttpRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        parse(text).map_err(|reason| InvalidRule { rule: text.chars().take(200).collect(), reason })
    }
}

fn parse(text: &str) -> Result<HttpRule, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("it has {} bytes, at most {MAX_TEXT} are allowed", text.len()));
    }
    let (methods, url) = match text.trim().rsplit_once(char::is_whitespace) {
        Some((methods, url)) => (parse_methods(methods.trim())?, url),
        None => (Methods::Any, text.trim()),
    };
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
    let scheme = Scheme::parse(scheme).ok_or_else(|| format!("its scheme is {scheme:?}, and not http or https"))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let after_brackets = rest.rfind(']').map_or(0, |at| at + 1);
    let colon = rest.get(after_brackets..).and_then(|rest| rest.find(':')).map(|at| at + after_brackets);
    let (host, port) = colon.map_or((rest, ""), |colon| rest.split_at(colon));
    let ports = match port.strip_prefix(':') {
        None => Ports::One(scheme.default_port()),
        Some("*") => Ports::Any,
        Some(port) => Ports::One(parse_port(port).map_err(|error| error.to_string())?),
    };
    Ok(HttpRule { methods, scheme, host: parse_pattern(host)?, ports, private: false })
}

fn parse_methods(text: &str) -> Result<Methods, String> {
    if text == "*" {
        return Ok(Methods::Any);
    }
    let is_method = |method: &str| !method.is_empty() && method.len() <= 32 && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    match text.split(',').find(|method| !is_method(method)) {
        Some(other) => Err(format!("{other:?} is no method in capital letters")),
        None => Ok(Methods::These(text.split(',').map(ToOwned::to_owned).collect())),
    }
}

fn parse_pattern(text: &str) -> Result<HostPattern, String> {
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
    if name.contains('*') {
        return Err(format!("{text:?} has a star elsewhere than in front, as in *.example.com"));
    }
    let host = parse_host(name).map_err(|error| error.to_string())?;
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    match below {
        true if is_address => Err(format!("{text:?} has a star in front of an address")),
        true => Ok(HostPattern::Below(host)),
        false => Ok(HostPattern::Exact(host)),
    }
}

/// A rule as it is stored and shown.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    allow: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    private: bool,
}

impl TryFrom<Written> for HttpRule {
    type Error = InvalidRule;

    fn try_from(written: Written) -> Result<Self, InvalidRule> {
        Ok(Self { private: written.private, ..written.allow.parse()? })
    }
}

impl From<HttpRule> for Written {
    fn from(rule: HttpRule) -> Self {
        Self { allow: rule.to_string(), private: rule.private }
    }
}

/// The rules of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<HttpRule>", into = "Vec<HttpRule>")]
pub struct HttpRules(Vec<HttpRule>);

impl HttpRules {
    /// These rules.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn new(rules: Vec<HttpRule>) -> Result<Self, InvalidRule> {
        match rules.get(MAX_RULES) {
            Some(rule) => {
                Err(InvalidRule { rule: rule.to_string(), reason: format!("it is one more than the {MAX_RULES} that are allowed") })
            }
            None => Ok(Self(rules)),
        }
    }

    /// The rules.
    #[must_use]
    pub fn as_slice(&self) -> &[HttpRule] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule that allows a request; one for private addresses where several do.
    ///
    /// # Errors
    /// Where none does: says what is missing, and who can allow it.
    pub(crate) fn permit(&self, request: &OutgoingRequest) -> Result<&HttpRule, FetchError> {
        let allowing = || self.0.iter().filter(|rule| rule.allows(request));
        let found = allowing().find(|rule| rule.private).or_else(|| allowing().next());
        found.ok_or_else(|| {
            let missing = format!("{} {}", request.method, request.target.origin());
            FetchError::Denied(if self.0.is_empty() {
                format!("this tenant's tasks may send no HTTP requests, and this one sends {missing}: an operator can allow it with a rule")
            } else {
                format!("no rule of this tenant allows {missing}: an operator can add one")
            })
        })
    }
}

impl TryFrom<Vec<HttpRule>> for HttpRules {
    type Error = InvalidRule;

    fn try_from(rules: Vec<HttpRule>) -> Result<Self, InvalidRule> {
        Self::new(rules)
    }
}

impl From<HttpRules> for Vec<HttpRule> {
    fn from(rules: HttpRules) -> Self {
        rules.0
    }
}

#[cfg(test)]
#[path = "rules/tests.rs"]
mod tests;
