use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use tidings_domain::page::{Page, PageLimit, PageLimitError};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::query::{FromQuery, QueryString};

/// What every list can be asked: how many, and after which one. `I` is what the list goes on from, an id mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListQuery<I> {
    /// How many at most.
    pub limit: PageLimit,
    /// The last one of the page before.
    pub iterator: Option<I>,
}

impl<I: FromStr<Err: Display>> FromQuery for ListQuery<I> {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let limit = |text: &str| text.parse::<u64>().map_err(|_| PageLimitError).and_then(PageLimit::try_from);
        let limit = query.one("limit", limit).unwrap_or_default();
        Some(Self { limit, iterator: query.one("iterator", str::parse) })
    }
}

impl<I> IntoParams for ListQuery<I> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |name: &str, description: &str, schema: Object| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build()
        };
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(250))
            .default(Some(50.into()))
            .build();
        let iterator = ObjectBuilder::new().schema_type(Type::String).build();
        vec![
            parameter("limit", "How many at most.", limit),
            parameter("iterator", "The `iterator` of the page before.", iterator),
        ]
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<T> {
    /// In the list's order.
    pub data: Vec<T>,
    /// Goes on after this page; there also when `done`, to ask later for what is new. `null` on an empty page.
    pub iterator: Option<String>,
    /// Goes back before this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_iterator: Option<String>,
    /// Whether there is no further page.
    pub done: bool,
}

impl<T> ListResponse<T> {
    /// Of a page; `iterator` names an entry, `show` makes its public form.
    pub fn new<E>(page: Page<E>, iterator: impl Fn(&E) -> String, show: impl FnMut(E) -> T) -> Self {
        let Page { data, done } = page;
        let iterator = data.last().map(iterator);
        Self { data: data.into_iter().map(show).collect(), iterator, prev_iterator: None, done }
    }
}
