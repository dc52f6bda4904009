//! What lists of messages and of attempts are narrowed by, and how much of them one answer holds.

use tidings_domain::Timestamp;
use tidings_domain::names::{Channel, EventTypeName};
use tidings_domain::page::{Page, Position};
use tidings_http::{FromQuery, QueryString};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{
    ArrayBuilder, ArrayItems, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{RefOr, Required};

/// Most bytes of payloads, or of receivers' answers, in one page. A function's answer holds 6 MB, and texts grow when
/// they are escaped on their way.
pub(crate) const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What lists of messages and lists of attempts have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filters {
    /// In this channel.
    pub channel: Option<Channel>,
    /// Of one of these types; of any if there is none.
    pub event_types: Vec<EventTypeName>,
    /// From then on.
    pub after: Option<Timestamp>,
    /// Until then.
    pub before: Option<Timestamp>,
}

impl FromQuery for Filters {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self {
            channel: query.one("channel", str::parse),
            event_types: query.list("event_types", str::parse),
            after: query.time("after"),
            before: query.time("before"),
        })
    }
}

impl IntoParams for Filters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let types = ArrayBuilder::new().items(ArrayItems::from(RefOr::T(Schema::from(name(256))))).unique_items(true);
        vec![
            parameter("channel", "Only what is in this channel.", name(128)),
            parameter("event_types", "Only what is of one of these types.", types.build()),
            parameter("after", "Only what was made from then on.", date_time()),
            parameter("before", "Only what was made before.", date_time()),
        ]
    }
}

/// A parameter of the query that can be left out.
pub(crate) fn parameter(name: &str, description: &str, schema: impl Into<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .style(Some(ParameterStyle::Form))
        .schema(Some(schema.into()))
        .build()
}

/// A text that is a name.
pub(crate) fn name(max: usize) -> Object {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(max)).pattern(Some(r"^[a-zA-Z0-9\-_.]+$")).build()
}

/// A text that is a point in time.
pub(crate) fn date_time() -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build()
}

/// Some of a page whose entries are `bytes` large: as many as fit into one answer, one at least. What does not fit is
/// on the next page.
pub(crate) fn bounded<T, I>(page: Page<T>, from: Option<&Position<I>>, bytes: impl Fn(&T) -> usize) -> Page<T> {
    let Page { mut data, done } = page;
    let backwards = matches!(from, Some(Position::Before(_)));
    let fitting = if backwards { fit(data.iter().rev().map(bytes)) } else { fit(data.iter().map(bytes)) };
    let all = fitting == data.len();
    if backwards {
        data.drain(..data.len() - fitting);
    } else {
        data.truncate(fitting);
    }
    Page { data, done: done && all }
}

/// How many of these fit, from the first on.
fn fit(sizes: impl ExactSizeIterator<Item = usize>) -> usize {
    let (all, mut sum) = (sizes.len(), 0_usize);
    let fitting = sizes.take_while(|size| {
        sum = sum.saturating_add(*size);
        sum <= MAX_PAGE_BYTES
    });
    fitting.count().max(1).min(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_fits_from_where_it_starts() {
        let half = MAX_PAGE_BYTES / 2;
        let cut = |sizes: &[usize], from: Option<&Position<u8>>| {
            let page = bounded(Page { data: sizes.to_vec(), done: true }, from, |size| *size);
            (page.data, page.done)
        };
        assert_eq!(cut(&[half, half], None), (vec![half, half], true));
        assert_eq!(cut(&[half, half, 1], None), (vec![half, half], false));
        assert_eq!(cut(&[1, half, half], Some(&Position::Before(1))), (vec![half, half], false));
        assert_eq!(cut(&[3 * half, 1], Some(&Position::After(1))), (vec![3 * half], false), "one at least");
        assert_eq!(cut(&[], None), (vec![], true));
    }
}
