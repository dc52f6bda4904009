//! What the clients surface answers in two functions.

use utoipa::ToSchema;

/// Everything that is wrong with a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only: the answer itself is made by `refused`")]
pub struct ClientErrorOut {
    /// A sentence for each fault.
    #[schema(example = json!(["\"url\" is required", "\"token\" is not allowed to be empty"]))]
    error: Vec<String>,
}
