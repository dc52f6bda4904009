//! The numbers and texts that the contract has for where a message stands.

use std::borrow::Cow;

use serde::Serialize;
use tidings_domain::delivery::DeliveryStatus;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A whole number of a few, as it is answered.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant = $number,)+
        }

        impl $name {
            /// The numbers as a schema.
            pub(crate) fn values() -> Object {
                ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([$($number),+])).build()
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u16(*self as u16)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object(Self::values()))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

numbers! {
    /// Where a message stands at an endpoint, or how an attempt ended.
    MessageStatus {
        /// It was taken.
        Success = 0,
        /// It was not, and another attempt is due.
        Pending = 1,
        /// It was not, and no other attempt follows.
        Fail = 2,
        /// No attempt was made yet.
        Sending = 3,
    }
    /// Why an attempt was made.
    MessageAttemptTriggerType {
        /// The message, or the schedule after a failure.
        Scheduled = 0,
        /// Somebody asked for it.
        Manual = 1,
    }
}

/// Where a message stands, as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageStatusText {
    /// It was taken.
    Success,
    /// It was not, and another attempt is due.
    Pending,
    /// It was not, and no other attempt follows.
    Fail,
    /// No attempt was made yet.
    Sending,
}

impl From<DeliveryStatus> for MessageStatus {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Success => Self::Success,
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Fail => Self::Fail,
            DeliveryStatus::Sending => Self::Sending,
        }
    }
}

impl From<DeliveryStatus> for MessageStatusText {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Success => Self::Success,
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Fail => Self::Fail,
            DeliveryStatus::Sending => Self::Sending,
        }
    }
}

/// A status as it stands in a query.
pub(crate) fn parse(text: &str) -> Result<DeliveryStatus, &'static str> {
    match text {
        "0" => Ok(DeliveryStatus::Success),
        "1" => Ok(DeliveryStatus::Pending),
        "2" => Ok(DeliveryStatus::Fail),
        "3" => Ok(DeliveryStatus::Sending),
        _ => Err("must be 0 (success), 1 (pending), 2 (fail) or 3 (sending)"),
    }
}

/// The classes of status codes as a schema.
pub(crate) fn classes() -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([0, 100, 200, 300, 400, 500])).build()
}

/// A class of status codes as it stands in a query.
pub(crate) fn parse_class(text: &str) -> Result<u16, &'static str> {
    match text {
        "0" => Ok(0),
        "100" => Ok(100),
        "200" => Ok(200),
        "300" => Ok(300),
        "400" => Ok(400),
        "500" => Ok(500),
        _ => Err("must be 0, 100, 200, 300, 400 or 500"),
    }
}
