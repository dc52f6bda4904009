use std::time::Duration;

use tidings_domain::ids::ApplicationId;
use tidings_store::token::{Revocation, TokenHash};

use crate::support::{NOW, organization, store};

#[tokio::test]
async fn a_token_that_was_taken_back_stays_so_and_no_other_does() {
    let store = store().await;
    let application = ApplicationId::new(NOW, [1; 15]);
    let (token, other) = (TokenHash::of("a.b.c"), TokenHash::of("a.b.d"));
    for _ in 0..2 {
        store.revoke_token(&token, NOW + Duration::from_secs(60)).await.unwrap();
        let revocation = store.token_revocation(&token, organization(1), application).await.unwrap();
        assert_eq!(revocation, Revocation { revoked: true, valid_after: None });
    }
    let revocation = store.token_revocation(&other, organization(1), application).await.unwrap();
    assert_eq!(revocation, Revocation::default());
}
