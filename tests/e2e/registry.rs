//! Components in a registry: published, pushed to a node from there, fetched; and everything else that a registry may hold.

mod raw;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use mogbox_core::Digest;
use mogbox_fixtures::{LOGIN, RegistryServer, free_port};
use serde_json::{Value, json};

use crate::support::{Output, binary, guests, mogbox, run, shared_node, untold};
use raw::{CONFIG, LAYER, MANIFEST, Repository};

/// A registry that the tests share, each with repositories of its own.
fn shared_registry() -> &'static RegistryServer {
    static SERVER: OnceLock<RegistryServer> = OnceLock::new();
    SERVER.get_or_init(|| RegistryServer::start().unwrap())
}

/// A place in the shared registry.
fn place(rest: &str) -> String {
    format!("oci://{}/{rest}", shared_registry().host())
}

fn component() -> Vec<u8> {
    fs::read(guests::EXAMPLE_ADD).unwrap()
}

/// Runs a command for a tenant on the shared node.
fn on_node(tenant: &str, args: &[&str]) -> Output {
    mogbox(&[["--server", shared_node().url(), "--tenant", tenant].as_slice(), args].concat())
}

#[test]
fn what_is_published_is_pushed_run_and_fetched_by_tag_and_by_digest() {
    let by_tag = place("published/add:1.0");
    let published: Value = serde_json::from_str(&mogbox(&["--json", "publish", guests::EXAMPLE_ADD, &by_tag]).ok()).unwrap();
    let by_digest = published["reference"].as_str().unwrap();
    assert_eq!(published["tag"], by_tag);
    assert_eq!(published["component"], Digest::of(&component()).to_string());
    assert!(by_digest.starts_with(&place("published/add@sha256:")), "{by_digest}");

    let folder = tempfile::tempdir().unwrap();
    for (number, from) in [by_tag.as_str(), by_digest].into_iter().enumerate() {
        let file = folder.path().join(number.to_string());
        mogbox(&["pull", from, "-o", file.to_str().unwrap()]).ok();
        assert!(fs::read(&file).unwrap() == component(), "{from} gives other bytes");
        let tenant = format!("registry-{number}");
        let pushed: Value = serde_json::from_str(&on_node(&tenant, &["--json", "push", from]).ok()).unwrap();
        assert_eq!((&pushed["name"], &pushed["digest"]), (&"add".into(), &published["component"]));
        assert_eq!(on_node(&tenant, &["submit", "example.add", "1", "2", "--wait"]).ok().trim().lines().last(), Some("3.0"));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "something temporary is left");
    let people = mogbox(&["publish", guests::EXAMPLE_ADD, &by_tag]).ok();
    assert!(people.contains(&by_tag) && people.contains("@sha256:"), "{people}");
}

#[test]
fn what_is_published_lies_there_as_the_webassembly_tools_keep_it() {
    mogbox(&["publish", guests::EXAMPLE_ADD, &place("layout/add:1.0")]).ok();
    let repository = Repository::new(shared_registry(), "layout/add");
    let manifest: Value = serde_json::from_str(&repository.manifest("1.0")).unwrap();
    assert_eq!((&manifest["schemaVersion"], &manifest["mediaType"]), (&json!(2), &json!(MANIFEST)));
    assert_eq!((&manifest["config"]["mediaType"], &manifest["layers"][0]["mediaType"]), (&json!(CONFIG), &json!(LAYER)));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert!(repository.blob(&manifest["layers"][0]) == component());
    let config: Value = serde_json::from_slice(&repository.blob(&manifest["config"])).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([manifest["layers"][0]["digest"]]));
    let exports = config["component"]["exports"].as_array().unwrap();
    assert!(exports.iter().any(|export| export.as_str().unwrap().starts_with("mogbox:task/tasks@")), "{config}");
}

#[test]
fn what_another_tool_put_there_is_taken() {
    let digest = Repository::new(shared_registry(), "by/wkg").put_component("2.0", &component(), |_| {});
    for from in [place("by/wkg:2.0"), place(&format!("by/wkg@{digest}"))] {
        let pushed = on_node("registry-wkg", &["push", &from, "--name", "sums"]).ok();
        assert!(pushed.contains("pushed sums") && pushed.contains("example.add"), "{pushed}");
    }
    assert_eq!(on_node("registry-wkg", &["submit", "example.add", "2", "3", "--wait"]).ok().trim().lines().last(), Some("5.0"));
}

/// Checks that neither command takes what is there, that both say why, and that no file is left.
#[track_caller]
fn refused(from: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.wasm");
    let errors = [mogbox(&["pull", from, "-o", file.to_str().unwrap()]).failed(), on_node("registry-none", &["push", from]).failed()];
    for error in errors {
        for text in expected {
            assert!(error.contains(text), "no {text:?} in {error}");
        }
        assert!(!error.contains("panicked"), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left of what was refused");
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let repository = Repository::new(shared_registry(), "missing/add");
    repository.put_component("1.0", &component(), |_| {});
    repository.put_component("1.1", &component(), |_| {});
    refused(&place("missing/add:2.0"), &["missing/add:2.0", "has the tags 1.0, 1.1"]);
    refused(&place(&format!("missing/add@sha256:{}", Digest::of(b"other"))), &["has no oci://", "has the tags 1.0, 1.1"]);
    refused(&place("missing/nothing:1.0"), &["missing/nothing:1.0", "there is nothing under missing/nothing"]);
    let nobody = format!("oci://127.0.0.1:{}/add:1.0", free_port().unwrap());
    refused(&nobody, &["no registry answers at 127.0.0.1:", "--insecure-http"]);
}

#[test]
fn an_image_of_another_kind_is_refused_by_what_it_is() {
    let repository = Repository::new(shared_registry(), "kinds/image");
    let docker = "application/vnd.docker.container.image.v1+json";
    let layers = json!([repository.put_blob("application/vnd.docker.image.rootfs.diff.tar.gzip", b"a layer")]);
    let manifest = "application/vnd.docker.distribution.manifest.v2+json";
    repository.put_manifest(
        "docker",
        &json!({ "schemaVersion": 2, "mediaType": manifest, "config": repository.put_blob(docker, b"{}"), "layers": layers }),
    );
    refused(&place("kinds/image:docker"), &["is no component", docker, CONFIG]);

    let digest = repository.put_component("one", &component(), |_| {});
    let size = repository.manifest("one").len();
    let index = "application/vnd.oci.image.index.v1+json";
    let entry = json!({ "mediaType": MANIFEST, "digest": digest, "size": size, "platform": { "os": "linux", "architecture": "amd64" } });
    repository.put_manifest("index", &json!({ "schemaVersion": 2, "mediaType": index, "manifests": [entry] }));
    refused(&place("kinds/image:index"), &["index of 1 images", "expected one component"]);

    let twice = |manifest: &mut Value| {
        let layer = manifest["layers"][0].clone();
        manifest["layers"].as_array_mut().unwrap().push(layer);
    };
    repository.put_component("twice", &component(), twice);
    refused(&place("kinds/image:twice"), &["2 layers, expected one"]);
    repository.put_component("tar", &component(), |manifest| manifest["layers"][0]["mediaType"] = json!("application/x-tar"));
    refused(&place("kinds/image:tar"), &["application/x-tar", LAYER]);
}

#[test]
fn a_layer_that_is_too_large_or_lies_about_its_size_is_refused() {
    let repository = Repository::new(shared_registry(), "sizes/add");
    let size = component().len();
    let sized = |tag: &str, told: u64| repository.put_component(tag, &component(), |manifest| manifest["layers"][0]["size"] = json!(told));
    sized("large", (1 << 30) + 1);
    refused(&place("sizes/add:large"), &["1073741825", "expected 1 to 1073741824", "module"]);
    sized("less", 1_000);
    refused(&place("sizes/add:less"), &["larger than the 1000 bytes"]);
    sized("more", 1 << 29);
    refused(&place("sizes/add:more"), &[&format!("has {size} bytes"), "536870912"]);
}

#[test]
fn a_module_over_the_bound_of_the_node_is_refused_by_the_node() {
    let node = crate::support::Node::embedded(&["--limit", "module=1KiB"]);
    Repository::new(shared_registry(), "bound/add").put_component("1.0", &component(), |_| {});
    let error = mogbox(&["--server", node.url(), "push", &place("bound/add:1.0")]).failed();
    assert!(error.contains("bound/add:1.0 was not pushed") && error.contains("module") && error.contains("1KiB"), "{error}");
}

#[test]
fn what_is_no_component_is_neither_published_nor_taken_from_a_registry() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.wasm");
    fs::write(&text, "not a module").unwrap();
    let error = mogbox(&["publish", text.to_str().unwrap(), &place("none/notes:1.0")]).failed();
    assert!(error.contains("notes.wasm") && error.contains("it is text"), "{error}");
    let error = mogbox(&["publish", guests::EXAMPLE_ADD, &place(&format!("none/add@sha256:{}", Digest::of(b"")))]).failed();
    assert!(error.contains("no tag") && error.contains("none/add:1.0"), "{error}");
    Repository::new(shared_registry(), "none/text").put_component("1.0", b"not a module", |_| {});
    let error = on_node("registry-none", &["push", &place("none/text:1.0")]).failed();
    assert!(error.contains("it is text, expected a WebAssembly component"), "{error}");
    for bad in ["oci://add:1.0", "oci://localhost:5000/add"] {
        let error = on_node("registry-none", &["push", bad]).failed();
        assert!(error.contains(bad) && error.contains("oci://ghcr.io/owner/add:1.0"), "{error}");
    }
}

fn with_login(command: &mut Command, user: &str, password: &str) -> Output {
    run(command.env("MOGBOX_REGISTRY_USER", user).env("MOGBOX_REGISTRY_PASSWORD", password))
}

#[test]
fn a_registry_that_wants_a_login_gets_the_one_given_or_that_of_docker() {
    let server = RegistryServer::start_closed().unwrap();
    let (to, (user, password)) = (format!("oci://{}/add:1.0", server.host()), LOGIN);
    let folder = tempfile::tempdir().unwrap();
    let publish = || {
        let mut command = untold(binary());
        command.args(["publish", guests::EXAMPLE_ADD, &to]).env("DOCKER_CONFIG", folder.path());
        command
    };
    let nobody = run(&mut publish()).failed();
    assert!(nobody.contains("a caller without a login") && nobody.contains("docker login"), "{nobody}");
    let wrong = with_login(&mut publish(), user, "wr0ng").failed();
    assert!(wrong.contains(user) && !wrong.contains("wr0ng"), "{wrong}");
    with_login(&mut publish(), user, password).ok();
    docker_login(folder.path(), &server.host(), user, password);
    run(&mut publish()).ok();
    let mut pull = untold(binary());
    let file = folder.path().join("add.wasm");
    run(pull.args(["pull", &to, "-o", file.to_str().unwrap()]).env("DOCKER_CONFIG", folder.path())).ok();
    assert!(fs::read(file).unwrap() == component());
}

/// Leaves a login where `docker login` does.
fn docker_login(folder: &Path, server: &str, user: &str, password: &str) {
    let config = json!({ "auths": { server: { "username": user, "password": password } } });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// A signature of minisign's, of something else.
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";

#[test]
fn a_signature_goes_with_a_module_and_its_form_is_checked_even_where_none_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("add.wasm");
    fs::copy(guests::EXAMPLE_ADD, &file).unwrap();
    let file = file.to_str().unwrap();
    let plain = on_node("registry-signed", &["push", file]);
    assert_eq!((plain.code, plain.stderr.as_str()), (0, ""));
    fs::write(format!("{file}.minisig"), SIGNATURE).unwrap();
    let unchecked = on_node("registry-signed", &["push", file]);
    assert!(unchecked.code == 0 && unchecked.stderr.contains("not checked"), "{}", unchecked.stderr);
    fs::write(format!("{file}.minisig"), "none").unwrap();
    let error = on_node("registry-signed", &["push", file]).failed();
    assert!(error.contains("add.wasm.minisig is no signature"), "{error}");
    let url = format!("{}/v1/modules/add?tenant=registry-signed", shared_node().url());
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.put(url).header("mogbox-signature", "bm9uZQ==").send(b"refused before it is read".as_slice()).unwrap();
    let problem: Value = answer.body_mut().read_json().unwrap();
    assert_eq!((answer.status().as_u16(), &problem["code"]), (422, &json!("signature-refused")));
}
