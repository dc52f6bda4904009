//! What an event says.

use std::collections::BTreeSet;

use fastrand::Rng;
use generator::orders;
use insta::assert_json_snapshot;
use serde_json::Value;

use crate::support::NOW;

#[test]
fn an_order_has_the_fields_that_clients_know() {
    assert_json_snapshot!(orders(&mut Rng::with_seed(8), NOW)[0], @r#"
    {
      "productName": "Ergonomic Cotton Keyboard",
      "price": "$ 297.00",
      "color": "teal",
      "orderDate": "2027-01-14T20:54:21.732Z",
      "dispatchBy": "2027-01-15T16:24:31.229Z",
      "deliveryDetails": {
        "firstName": "Grace",
        "lastName": "Kovacs",
        "street": "59 Birch Lane",
        "county": "Avon",
        "city": "Greenville",
        "country": "United Kingdom",
        "zipCode": "59573"
      }
    }
    "#);
}

#[test]
fn the_same_chance_makes_the_same_orders_and_another_one_others() {
    let made = |seed| orders(&mut Rng::with_seed(seed), NOW);
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn one_to_ten_orders_each_with_a_price_and_times_around_now() {
    let mut counts = BTreeSet::new();
    for seed in 0..500 {
        let orders = orders(&mut Rng::with_seed(seed), NOW);
        counts.insert(orders.len());
        for order in orders {
            let (price, cents) = order.price.strip_prefix("$ ").unwrap().split_once('.').unwrap();
            assert!((1..1000).contains(&price.parse::<u32>().unwrap()) && cents == "00", "{order:?}");
            assert!(order.order_date <= NOW && NOW < order.dispatch_by, "{order:?}");
            assert!(NOW.since(order.order_date).as_secs() <= 86_400, "{order:?}");
            assert!(order.dispatch_by.since(NOW).as_secs() <= 86_400, "{order:?}");
            let zip_code = &order.delivery_details.zip_code;
            assert!(zip_code.len() == 5 && zip_code.bytes().all(|byte| byte.is_ascii_digit()), "{order:?}");
            assert!(!has_an_empty_text(&serde_json::to_value(&order).unwrap()), "{order:?}");
        }
    }
    assert_eq!(counts, (1..=10).collect());
}

fn has_an_empty_text(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().any(has_an_empty_text),
        other => other.as_str().is_none_or(str::is_empty),
    }
}
