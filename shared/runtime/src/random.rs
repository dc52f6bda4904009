//! Randomness for ids, keys and secrets, from the operating system.

/// Fresh random bytes, fit for secrets.
///
/// # Panics
/// If the operating system has no randomness to give: then no id and no secret would be safe to make.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}
