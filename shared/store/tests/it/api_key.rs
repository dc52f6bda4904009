use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::ApiKeyId;

use crate::support::{NOW, organization, store};

fn key(number: u8) -> (ApiKeySecret, ApiKey) {
    let secret = ApiKeySecret::new([number; 32]);
    let caller = Caller {
        organization: organization(1),
        scope: Scope::Organization,
        role: Role::Admin,
        organizations: vec!["acme".to_owned()],
        feature_flags: Vec::new(),
    };
    let hash = secret.hash();
    let id = ApiKeyId::new(NOW, [number; 15]);
    (secret, ApiKey { id, description: format!("key {number}"), caller, hash, created_at: NOW })
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_until_it_is_revoked() {
    let store = store().await;
    let (secret, key) = key(1);
    store.create_api_key(&key).await.unwrap();
    assert_eq!(store.api_key(&secret.hash()).await.unwrap(), Some(key.clone()));

    assert!(!store.revoke_api_key(organization(2), key.id).await.unwrap(), "another organization's");
    assert!(store.revoke_api_key(organization(1), key.id).await.unwrap());
    assert_eq!(store.api_key(&secret.hash()).await.unwrap(), None);
    assert!(!store.revoke_api_key(organization(1), key.id).await.unwrap(), "twice");
}

#[tokio::test]
async fn keys_are_listed_by_organization_oldest_first() {
    let store = store().await;
    for number in 1..=3 {
        store.create_api_key(&key(number).1).await.unwrap();
    }
    let listed = store.api_keys(organization(1)).await.unwrap();
    assert_eq!(listed, [key(1).1, key(2).1, key(3).1]);
    assert!(store.api_keys(organization(2)).await.unwrap().is_empty());
}
