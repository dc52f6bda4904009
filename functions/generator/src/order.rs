//! Orders that nobody placed.

use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;
use tidings_domain::Timestamp;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// What was ordered.
    pub product_name: String,
    /// For how much: `$ 123.00`.
    pub price: String,
    /// In which colour.
    pub color: &'static str,
    /// When: within the last day.
    pub order_date: Timestamp,
    /// Until when it is to be on its way: within the next day.
    pub dispatch_by: Timestamp,
    /// To whom.
    pub delivery_details: DeliveryDetails,
}

/// Who gets an order, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryDetails {
    /// Given name.
    pub first_name: &'static str,
    /// Family name.
    pub last_name: &'static str,
    /// Street, with the number.
    pub street: String,
    /// County.
    pub county: &'static str,
    /// City.
    pub city: &'static str,
    /// Country.
    pub country: &'static str,
    /// Five digits.
    pub zip_code: String,
}

const QUALITIES: [&str; 12] = [
    "Awesome",
    "Ergonomic",
    "Fantastic",
    "Generic",
    "Gorgeous",
    "Handcrafted",
    "Incredible",
    "Intelligent",
    "Practical",
    "Refined",
    "Rustic",
    "Sleek",
];
const MATERIALS: [&str; 8] = ["Concrete", "Cotton", "Granite", "Metal", "Plastic", "Rubber", "Steel", "Wooden"];
const PRODUCTS: [&str; 12] =
    ["Ball", "Bike", "Car", "Chair", "Computer", "Gloves", "Hat", "Keyboard", "Mouse", "Shoes", "Table", "Towels"];
const COLORS: [&str; 10] = ["azure", "black", "gold", "green", "indigo", "ivory", "lime", "maroon", "orange", "teal"];
const FIRST_NAMES: [&str; 12] =
    ["Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Katherine", "Leslie", "Tony"];
const LAST_NAMES: [&str; 12] = [
    "Abbott", "Becker", "Carter", "Dietrich", "Eriksen", "Fischer", "Gomez", "Hughes", "Ivanova", "Jensen", "Kovacs",
    "Lopez",
];
const STREETS: [&str; 8] = [
    "Birch Lane",
    "Church Road",
    "Harbour Street",
    "High Street",
    "Hill Road",
    "Mill Lane",
    "Park Avenue",
    "Station Road",
];
const COUNTIES: [&str; 8] = ["Avon", "Bedfordshire", "Cambridgeshire", "Cumbria", "Devon", "Essex", "Kent", "Norfolk"];
const CITIES: [&str; 10] = [
    "Ashford",
    "Bridgewater",
    "Clearwater",
    "Fairview",
    "Greenville",
    "Kingsport",
    "Lakewood",
    "Newport",
    "Riverside",
    "Weston",
];
const COUNTRIES: [&str; 10] = [
    "Argentina",
    "Canada",
    "Denmark",
    "Germany",
    "India",
    "Japan",
    "Kenya",
    "New Zealand",
    "Portugal",
    "United Kingdom",
];

/// Most milliseconds between an order and the time at which it is told of, and from there to its dispatch.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// One to ten orders, told of at this time.
pub fn orders(rng: &mut Rng, at: Timestamp) -> Vec<Order> {
    (0..rng.u8(1..=10)).map(|_| order(rng, at)).collect()
}

fn order(rng: &mut Rng, at: Timestamp) -> Order {
    Order {
        product_name: format!("{} {} {}", one(rng, &QUALITIES), one(rng, &MATERIALS), one(rng, &PRODUCTS)),
        price: format!("$ {}.00", rng.u16(1..1000)),
        color: one(rng, &COLORS),
        order_date: at - Duration::from_millis(rng.u64(0..DAY_MS)),
        dispatch_by: at + Duration::from_millis(rng.u64(1..=DAY_MS)),
        delivery_details: DeliveryDetails {
            first_name: one(rng, &FIRST_NAMES),
            last_name: one(rng, &LAST_NAMES),
            street: format!("{} {}", rng.u8(1..200), one(rng, &STREETS)),
            county: one(rng, &COUNTIES),
            city: one(rng, &CITIES),
            country: one(rng, &COUNTRIES),
            zip_code: format!("{:05}", rng.u32(1..100_000)),
        },
    }
}

fn one(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    rng.choice(words).copied().unwrap_or_default()
}
