//! What a running function is given from outside: its settings, the clock, randomness.

mod clock;
pub mod random;
pub mod settings;

pub use clock::Clock;
pub use settings::Settings;
