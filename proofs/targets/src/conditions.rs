//! Texts that name a version or a place.

use std::fmt::Display;
use std::str::FromStr;

use longrun::model::{ETag, OperationId, PageToken, Precondition, Tags, Timestamp};
use longrun::store::Position;

use crate::bodies::first;

/// Reads the text as an entity tag, a list of them, an id and a date.
///
/// # Panics
/// If what is taken is not printed as something that is taken for the same.
pub fn entity_tags(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    comes_back::<ETag>(text);
    comes_back::<OperationId>(text);
    comes_back::<Timestamp>(text);
    let (Ok(tags), Some(operation)) = (text.parse::<Tags>(), first()) else { return };
    let (mut is, mut is_not) = (Precondition::none(), Precondition::none());
    is.if_match = Some(tags.clone());
    is_not.if_none_match = Some(tags);
    let version = operation.version();
    assert_ne!(is.check(Some(version)).is_ok(), is_not.check(Some(version)).is_ok(), "{text:?} both is and is not");
    assert!(is.check(None).is_err(), "{text:?} is what is not there");
}

/// Reads the text as a page's token and as a place in a feed.
///
/// # Panics
/// If what is taken is not printed as something that is taken for the same.
pub fn page_token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    comes_back::<PageToken>(text);
    comes_back::<Position>(text);
}

fn comes_back<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let printed = read.to_string();
        assert!(printed.parse::<T>().is_ok_and(|again| again == read), "{text:?} came back as {printed:?}");
    }
}
