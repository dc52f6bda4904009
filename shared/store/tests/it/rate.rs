use std::num::NonZeroU16;

use tidings_domain::Timestamp;
use tidings_store::rate::Place;

use crate::outbound::{application, endpoint};
use crate::support::{NOW, at, organization, store};

#[tokio::test]
async fn a_second_takes_its_rate_and_later_ones_take_the_rest_in_order() {
    let store = store().await;
    let rate = NonZeroU16::new(3).unwrap();
    let second = |later: i64| Place::At(Timestamp::from_millis((NOW.as_secs() + later) * 1000));
    let mut places = Vec::new();
    for _ in 0..8 {
        places.push(store.take_place(organization(1), application(), Some(endpoint(1)), rate, NOW).await.unwrap());
    }
    let now = Place::Now;
    assert_eq!(places, [now, now, now, second(1), second(1), second(1), second(2), second(2)]);
    let elsewhere = store.take_place(organization(1), application(), Some(endpoint(2)), rate, NOW).await.unwrap();
    let application_wide = store.take_place(organization(1), application(), None, rate, NOW).await.unwrap();
    let later = store.take_place(organization(1), application(), Some(endpoint(1)), rate, at(1)).await.unwrap();
    assert_eq!([elsewhere, application_wide, later], [now, now, now]);
}
