use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use tidings_domain::page::{Order, Page, PageLimit, PageLimitError, Position};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::query::{FromQuery, QueryString};

/// What every list can be asked: how many, and beside which one. `I` is what the list goes on from, an id mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListQuery<I> {
    /// How many at most.
    pub limit: PageLimit,
    /// Where the page before, or after, ended.
    pub iterator: Option<Position<I>>,
}

impl<I: FromStr<Err: Display>> FromQuery for ListQuery<I> {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let limit = |text: &str| text.parse::<u64>().map_err(|_| PageLimitError).and_then(PageLimit::try_from);
        let limit = query.one("limit", limit).unwrap_or_default();
        Some(Self { limit, iterator: query.one("iterator", str::parse) })
    }
}

/// A list that runs either way: oldest first unless it is asked the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedListQuery<I> {
    /// How many, and beside which one.
    pub list: ListQuery<I>,
    /// Which way the list runs.
    pub order: Order,
}

impl<I: FromStr<Err: Display>> FromQuery for OrderedListQuery<I> {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let order = query.one("order", str::parse).unwrap_or_default();
        Some(Self { list: ListQuery::from_query(query)?, order })
    }
}

fn parameter(name: &str, description: &str, schema: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

impl<I> IntoParams for OrderedListQuery<I> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let order = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["ascending", "descending"]))
            .default(Some("ascending".into()))
            .build();
        let mut parameters = ListQuery::<I>::into_params(place);
        parameters.push(parameter("order", "Which way the list runs.", order));
        parameters
    }
}

impl<I> IntoParams for ListQuery<I> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(250))
            .default(Some(50.into()))
            .build();
        let iterator = ObjectBuilder::new().schema_type(Type::String).build();
        vec![
            parameter("limit", "How many at most.", limit),
            parameter(
                "iterator",
                "The `iterator` of the page before, or the `prevIterator` of the page after.",
                iterator,
            ),
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
    /// Goes back before this page. `null` on an empty page.
    pub prev_iterator: Option<String>,
    /// Whether there is no further page, in the direction that was asked for.
    pub done: bool,
}

impl<T> ListResponse<T> {
    /// Of a page; `iterator` names an entry, `show` makes its public form.
    pub fn new<E>(page: Page<E>, iterator: impl Fn(&E) -> String, show: impl FnMut(E) -> T) -> Self {
        let Page { data, done } = page;
        let prev_iterator = data.first().map(|first| format!("-{}", iterator(first)));
        let iterator = data.last().map(iterator);
        Self { data: data.into_iter().map(show).collect(), iterator, prev_iterator, done }
    }
}
