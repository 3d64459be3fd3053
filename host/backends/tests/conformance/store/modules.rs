//! Modules by digest, and an index that two writers cannot both replace.

use jiff::Timestamp;
use mogbox_core::ids::Digest;
use mogbox_core::json::Json;
use mogbox_core::module::{ModuleIndex, Serving, TaskDescription, Version};
use mogbox_core::store::IndexSnapshot;

use super::world::World;
use crate::harness::on_both;

on_both! { World;
    a_module_comes_back_by_its_digest
    an_index_is_replaced_only_by_who_knows_its_revision
    of_many_writers_exactly_one_replaces_an_index
}

fn index(name: &str) -> ModuleIndex {
    let task = TaskDescription {
        name: format!("demo.{name}").parse().unwrap(),
        title: "ü".to_owned(),
        description: String::new(),
        parameters: Json::parse(r#"{"type": "object"}"#, 100).unwrap(),
        returns: None,
    };
    let mut index = ModuleIndex::default();
    let version =
        Version { digest: Digest::of(name.as_bytes()), size: 1, uploaded: Timestamp::UNIX_EPOCH, tasks: vec![task], signed_by: None };
    index.activate(name, version).unwrap();
    index
}

async fn a_module_comes_back_by_its_digest(world: World) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let digest = Digest::of(&bytes);
    assert_eq!(world.modules.get(&Digest::of(b"nobody's")).await.unwrap(), None);
    world.modules.put(&digest, &bytes).await.unwrap();
    world.modules.put(&digest, &bytes).await.unwrap();
    assert!(world.modules.get(&digest).await.unwrap() == Some(bytes));
}

async fn an_index_is_replaced_only_by_who_knows_its_revision(world: World) {
    let (modules, tenant) = (&world.modules, &world.tenant);
    assert_eq!(modules.index(tenant).await.unwrap(), IndexSnapshot::default());
    let before = modules.generation().await.unwrap();
    assert!(!modules.replace_index(tenant, 1, &index("a")).await.unwrap());
    assert!(modules.replace_index(tenant, 0, &index("a")).await.unwrap());
    assert!(!modules.replace_index(tenant, 0, &index("b")).await.unwrap());
    assert_eq!(modules.index(tenant).await.unwrap(), IndexSnapshot { revision: 1, index: index("a") });
    assert!(modules.replace_index(tenant, 1, &index("b")).await.unwrap());
    assert_eq!(modules.index(tenant).await.unwrap(), IndexSnapshot { revision: 2, index: index("b") });
    // Other tests change modules at the same time.
    assert!(modules.generation().await.unwrap() >= before + 2);
    let stranger = crate::harness::fresh_tenant();
    assert_eq!(modules.index(&stranger).await.unwrap(), IndexSnapshot::default());
    let serving = modules.serving(&[stranger, tenant.clone()]).await.unwrap();
    assert_eq!(serving, [Serving::new(), index("b").serving()]);
}

async fn of_many_writers_exactly_one_replaces_an_index(world: World) {
    let (modules, tenant, new) = (&world.modules, &world.tenant, index("a"));
    let replaced = futures::future::join_all((0..20).map(|_| modules.replace_index(tenant, 0, &new))).await;
    assert_eq!(replaced.into_iter().filter(|one| *one.as_ref().unwrap()).count(), 1);
    assert_eq!(modules.index(tenant).await.unwrap().revision, 1);
}
