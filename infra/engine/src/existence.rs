//! What a condition says about whether its item exists.

use std::collections::HashMap;

use crate::schema::Schema;

/// `Some(true)` when the condition holds only for an item that exists, `Some(false)` when only for one that does not.
///
/// Without `OR` and `NOT` every function call in a condition must hold, so that it is enough to find one about the
/// key. What this misses costs a lookup, and never a wrong answer.
pub(crate) fn implied(
    condition: Option<&str>,
    names: Option<&HashMap<String, String>>,
    schema: &Schema,
) -> Option<bool> {
    let mut words = condition?
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '=' | '<' | '>'))
        .filter(|word| !word.is_empty());
    let mut found = None;
    while let Some(word) = words.next() {
        let exists = match word {
            "attribute_exists" => true,
            "attribute_not_exists" => false,
            _ if word.eq_ignore_ascii_case("OR") || word.eq_ignore_ascii_case("NOT") => return None,
            _ => continue,
        };
        let attribute = words.next()?;
        let attribute = names.and_then(|names| names.get(attribute)).map_or(attribute, String::as_str);
        if schema.is_key(attribute) {
            found = Some(exists);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_on_the_key_says_whether_the_item_exists() {
        let schema = Schema { partition: "pk".to_owned(), sort: Some("sk".to_owned()) };
        let names = HashMap::from([("#k".to_owned(), "sk".to_owned())]);
        for (condition, expected) in [
            ("attribute_not_exists(pk)", Some(false)),
            ("attribute_not_exists ( #k )", Some(false)),
            ("attribute_exists(sk) AND #s = :s", Some(true)),
            ("(#s = :s) AND (attribute_exists(pk))", Some(true)),
            ("a BETWEEN :a AND :b AND attribute_exists(pk)", Some(true)),
            ("attribute_not_exists(pk) OR #s = :s", None),
            ("NOT attribute_exists(pk)", None),
            ("NOT(attribute_exists(pk))", None),
            ("attribute_exists(pk)OR(a=:a)", None),
            ("attribute_exists(other)", None),
            ("attribute_exists(pk.inner)", None),
            ("#s = :s", None),
        ] {
            assert_eq!(implied(Some(condition), Some(&names), &schema), expected, "{condition}");
        }
        assert_eq!(implied(None, None, &schema), None);
    }
}
