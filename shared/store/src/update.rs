use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;

use crate::expression::Change;
use crate::{Store, StoreError, keys};

impl Store {
    /// A change of an item that must exist. `false` if it does not.
    pub(crate) async fn change_alone(&self, key: &keys::Key, change: Change) -> Result<bool, StoreError> {
        let update_expression = change.update_expression();
        let (condition, names, values) = change.into_parts();
        let sent = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .update_expression(update_expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values).filter(|values| !values.is_empty()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
