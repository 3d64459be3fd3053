//! Uploaded modules: versions by name, of which one is active, and which task each serves.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{Digest, InvalidName, TaskName};
use crate::json::Json;
use crate::signature::{KeyId, Malformed};

/// Versions kept of one module; the oldest inactive one goes first.
pub const MAX_VERSIONS: usize = 20;

/// Bytes of everything that a tenant's modules say of themselves, over all versions kept: the index is read and written as a whole.
pub const MAX_DESCRIPTIONS: usize = 8 << 20;

/// Modules of one tenant.
pub const MAX_MODULES: usize = 1_000;

/// A task that a module serves, as its `describe` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDescription {
    /// The name that requests carry.
    pub name: TaskName,
    /// One line.
    pub title: String,
    /// Plain text.
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Json,
    /// JSON Schema of the value.
    pub returns: Option<Json>,
}

impl TaskDescription {
    /// Bytes of its texts.
    fn size(&self) -> usize {
        let returns = self.returns.as_ref().map_or(0, Json::size);
        self.name.as_str().len() + self.title.len() + self.description.len() + self.parameters.size() + returns
    }
}

/// What was found in a module that may be admitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// What it imports, by name and version.
    pub imports: Vec<String>,
    /// What it exports. The module says so itself: any text.
    pub exports: Vec<String>,
    /// What it serves.
    pub tasks: Vec<TaskDescription>,
    /// Bytes of its machine code.
    pub compiled_bytes: u64,
    /// How long it took to compile, waiting for others included; none where it was compiled before.
    pub compile_ms: Option<u64>,
}

/// One upload of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// When it came.
    pub uploaded: Timestamp,
    /// What it serves.
    pub tasks: Vec<TaskDescription>,
    /// The key of the tenant's that signed it, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<KeyId>,
}

/// A module: its versions, oldest first, and the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// The version that serves requests.
    pub active: Digest,
    /// Every version kept, oldest first.
    pub versions: Vec<Version>,
}

impl Module {
    /// The active version.
    #[must_use]
    pub fn active_version(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.digest == self.active)
    }
}

/// An active version, as far as whoever runs it has to know: as text its digest, then the key that signed it, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Served {
    /// Its bytes.
    pub digest: Digest,
    /// The key of the tenant's that signed it.
    pub signed_by: Option<KeyId>,
}

impl From<Served> for String {
    fn from(served: Served) -> Self {
        let signed_by = served.signed_by.map_or_else(Self::new, |key| format!(" {key}"));
        format!("{}{signed_by}", served.digest)
    }
}

impl TryFrom<String> for Served {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (digest, key) = text.split_once(' ').map_or((text.as_str(), None), |(digest, key)| (digest, Some(key)));
        let digest = digest.parse().map_err(|error: InvalidName| error.to_string())?;
        Ok(Self { digest, signed_by: key.map(str::parse).transpose().map_err(|error: Malformed| error.to_string())? })
    }
}

/// Active versions by the tasks that they serve.
pub type Serving = HashMap<TaskName, Served>;

/// All modules of a tenant, by name. Stored as one document, replaced atomically.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModuleIndex(pub BTreeMap<String, Module>);

/// Why an index cannot change so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleConflict {
    /// Another active module serves the task.
    #[error("task {task} is served by module {module:?} already: push under that name, or rename the task")]
    TaskTaken {
        /// The task.
        task: TaskName,
        /// The module that serves it.
        module: String,
    },
    /// No module of that name, or no such version of it.
    #[error("{0}")]
    NotFound(String),
    /// The version is the active one.
    #[error("version {digest} of module {module:?} is the active one: roll the module back first, or delete the module")]
    Active {
        /// The module.
        module: String,
        /// The version.
        digest: Digest,
    },
    /// The tenant has [`MAX_MODULES`] already.
    #[error("over the bound of {MAX_MODULES} modules: push under a name that is there")]
    TooMany,
    /// The tenant's modules say more of themselves than [`MAX_DESCRIPTIONS`].
    #[error(
        "the modules of this tenant describe their tasks in {size} bytes over all versions kept, at most {MAX_DESCRIPTIONS} are allowed"
    )]
    TooLarge {
        /// Bytes it would be.
        size: usize,
    },
}

impl ModuleIndex {
    /// The active versions by the tasks that they serve.
    #[must_use]
    pub fn serving(&self) -> Serving {
        let active = self.0.values().filter_map(Module::active_version);
        let served = |version: &Version| Served { digest: version.digest, signed_by: version.signed_by };
        active.flat_map(|version| version.tasks.iter().map(move |task| (task.name.clone(), served(version)))).collect()
    }

    /// Adds a version to a module, new or known, and makes it the active one.
    ///
    /// # Errors
    /// Where another active module serves one of its tasks, there are too many modules, or they describe too much; this index is not
    /// to be used then.
    pub fn activate(&mut self, name: &str, version: Version) -> Result<(), ModuleConflict> {
        self.check_tasks(name, &version)?;
        if !self.0.contains_key(name) && self.0.len() >= MAX_MODULES {
            return Err(ModuleConflict::TooMany);
        }
        let digest = version.digest;
        let module = self.0.entry(name.to_owned()).or_insert_with(|| Module { active: digest, versions: Vec::new() });
        module.versions.retain(|known| known.digest != digest);
        module.versions.push(version);
        module.active = digest;
        if module.versions.len() > MAX_VERSIONS {
            module.versions.remove(0);
        }
        match self.description_size() {
            size if size > MAX_DESCRIPTIONS => Err(ModuleConflict::TooLarge { size }),
            _ => Ok(()),
        }
    }

    fn description_size(&self) -> usize {
        let versions = self.0.values().flat_map(|module| &module.versions);
        versions.flat_map(|version| &version.tasks).map(TaskDescription::size).sum()
    }

    /// Makes an earlier version active: the named one, or the one before the active one.
    ///
    /// # Errors
    /// Where there is no such module or version, or another module serves its tasks by now.
    pub fn roll_back(&mut self, name: &str, to: Option<Digest>) -> Result<Digest, ModuleConflict> {
        let module = self.0.get(name).ok_or_else(|| ModuleConflict::NotFound(format!("no module {name:?}")))?;
        let target = match to {
            Some(digest) => module.versions.iter().find(|version| version.digest == digest),
            None => module.versions.iter().take_while(|version| version.digest != module.active).last(),
        };
        let version = target.cloned().ok_or_else(|| ModuleConflict::NotFound(missing_version(name, to)))?;
        self.check_tasks(name, &version)?;
        if let Some(module) = self.0.get_mut(name) {
            module.active = version.digest;
        }
        Ok(version.digest)
    }

    /// Removes a module, or one version of it that is not active.
    ///
    /// # Errors
    /// Where there is no such module or version, or that version is the active one.
    pub fn remove(&mut self, name: &str, version: Option<Digest>) -> Result<(), ModuleConflict> {
        let module = self.0.get_mut(name).ok_or_else(|| ModuleConflict::NotFound(format!("no module {name:?}")))?;
        let Some(digest) = version else {
            self.0.remove(name);
            return Ok(());
        };
        if module.active == digest {
            return Err(ModuleConflict::Active { module: name.to_owned(), digest });
        }
        let before = module.versions.len();
        module.versions.retain(|known| known.digest != digest);
        if module.versions.len() == before { Err(ModuleConflict::NotFound(missing_version(name, version))) } else { Ok(()) }
    }

    fn check_tasks(&self, name: &str, version: &Version) -> Result<(), ModuleConflict> {
        for (other, module) in self.0.iter().filter(|(other, _)| *other != name) {
            let taken = module.active_version().into_iter().flat_map(|active| &active.tasks);
            for task in taken {
                if version.tasks.iter().any(|mine| mine.name == task.name) {
                    return Err(ModuleConflict::TaskTaken { task: task.name.clone(), module: other.clone() });
                }
            }
        }
        Ok(())
    }
}

fn missing_version(name: &str, to: Option<Digest>) -> String {
    match to {
        Some(digest) => format!("module {name:?} has no version {digest}"),
        None => format!("module {name:?} has no version before the active one; name one of its others with --to DIGEST"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(bytes: &[u8], tasks: &[&str]) -> Version {
        let describe = |name: &&str| TaskDescription {
            name: name.parse().unwrap(),
            title: String::new(),
            description: String::new(),
            parameters: Json::null(),
            returns: None,
        };
        let tasks = tasks.iter().map(describe).collect();
        Version { digest: Digest::of(bytes), size: 1, uploaded: Timestamp::UNIX_EPOCH, tasks, signed_by: None }
    }

    #[test]
    fn the_newest_version_serves_until_it_is_rolled_back() {
        let mut index = ModuleIndex::default();
        index.activate("m", version(b"1", &["a"])).unwrap();
        index.activate("m", version(b"2", &["a", "b"])).unwrap();
        let served = Served { digest: Digest::of(b"2"), signed_by: None };
        assert_eq!(index.serving().get(&"b".parse().unwrap()), Some(&served));
        assert_eq!(index.roll_back("m", None).unwrap(), Digest::of(b"1"));
        assert_eq!(index.serving().get(&"b".parse().unwrap()), None);
        assert!(matches!(index.roll_back("m", None), Err(ModuleConflict::NotFound(_))));
        assert_eq!(index.roll_back("m", Some(Digest::of(b"2"))).unwrap(), Digest::of(b"2"));
    }

    #[test]
    fn what_serves_a_task_is_written_with_the_key_that_signed_it() {
        let signed_by = Some("E7620F1842B4E81F".parse().unwrap());
        let digest = Digest::of(b"1");
        for (served, text) in [
            (Served { digest, signed_by: None }, format!("\"{digest}\"")),
            (Served { digest, signed_by }, format!("\"{digest} E7620F1842B4E81F\"")),
        ] {
            assert_eq!(serde_json::to_string(&served).unwrap(), text);
            assert_eq!(serde_json::from_str::<Served>(&text).unwrap(), served);
        }
        assert!(serde_json::from_str::<Served>(&format!("\"{digest} key\"")).is_err());
        let mut index = ModuleIndex::default();
        index.activate("m", Version { signed_by, ..version(b"1", &["a"]) }).unwrap();
        assert_eq!(index.serving().get(&"a".parse().unwrap()), Some(&Served { digest, signed_by }));
    }

    #[test]
    fn a_tenant_that_describes_too_much_is_told_before_anything_is_kept() {
        let mut index = ModuleIndex::default();
        for number in 0..8_u8 {
            let mut large = version(&[number], &["a"]);
            large.tasks[0].description = "x".repeat(1 << 20);
            let kept = index.clone();
            let activated = index.activate("m", large);
            if number < 7 {
                activated.unwrap();
                continue;
            }
            // Seven fit beside their names; the eighth is a few bytes too much.
            assert!(activated.unwrap_err().to_string().ends_with("at most 8388608 are allowed"));
            index = kept;
        }
        assert_eq!(index.0["m"].versions.len(), 7);
    }

    #[test]
    fn two_active_modules_cannot_serve_one_name() {
        let mut index = ModuleIndex::default();
        index.activate("m", version(b"1", &["a"])).unwrap();
        let error = index.activate("n", version(b"2", &["a"])).unwrap_err();
        assert_eq!(error.to_string(), "task a is served by module \"m\" already: push under that name, or rename the task");
    }

    #[test]
    fn a_module_is_removed_whole_or_without_an_earlier_version() {
        let mut index = ModuleIndex::default();
        let (old, new) = (version(b"1", &["a.b"]), version(b"2", &["a.b"]));
        let (first, active) = (old.digest, new.digest);
        index.activate("m", old).unwrap();
        index.activate("m", new).unwrap();
        assert!(matches!(index.remove("m", Some(active)), Err(ModuleConflict::Active { .. })));
        index.remove("m", Some(first)).unwrap();
        assert!(matches!(index.remove("m", Some(first)), Err(ModuleConflict::NotFound(_))));
        assert_eq!(index.serving().len(), 1);
        index.remove("m", None).unwrap();
        assert!(index.serving().is_empty() && matches!(index.remove("m", None), Err(ModuleConflict::NotFound(_))));
    }
}
