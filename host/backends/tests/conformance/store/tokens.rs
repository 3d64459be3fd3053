//! Tokens: found by the digest that is all that is stored of them.

use jiff::Timestamp;
use mogbox_core::tokens::{Grant, Scope, Token, TokenRecord};

use super::world::World;
use crate::harness::on_both;

on_both! { World;
    a_token_is_found_by_its_digest_until_it_is_removed
}

async fn a_token_is_found_by_its_digest_until_it_is_removed(world: World) {
    let (tokens, token) = (&world.tokens, Token::random());
    let grant = Grant::Tenant { tenant: world.tenant.clone(), scopes: vec![Scope::Read, Scope::Upload] };
    let record = TokenRecord { digest: token.digest(), grant, note: "ü".into(), created: Timestamp::UNIX_EPOCH, last_used: None };
    assert_eq!(tokens.find(&token.digest()).await.unwrap(), None);
    tokens.put(&record).await.unwrap();
    assert_eq!(tokens.find(&token.digest()).await.unwrap(), Some(record.clone()));
    assert!(tokens.count().await.unwrap() >= 1);
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    tokens.used(&token.digest(), at).await.unwrap();
    let used = TokenRecord { last_used: Some(at), ..record };
    assert_eq!(tokens.find(&token.digest()).await.unwrap(), Some(used.clone()));
    assert!(tokens.list().await.unwrap().contains(&used));
    tokens.remove(&[token.digest(), Token::random().digest()]).await.unwrap();
    assert_eq!(tokens.find(&token.digest()).await.unwrap(), None);
    assert!(!tokens.list().await.unwrap().contains(&used));
}
