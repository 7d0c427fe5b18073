//! What the request's headers say beside `Accept`, `Content-Type` and `Prefer`.

use axum::http::header::{HOST, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::fault::Fault;
use crate::model::{MalformedETag, Precondition, Tags};

/// The host that links are made of, validated: one, of `[A-Za-z0-9._-]`, IPv4 or `[IPv6]`, and a port
/// (PROTOCOL 133).
pub(super) fn host(parts: &Parts) -> Result<&str, Fault> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().filter(|host| is_host(host)),
        _ => None,
    };
    host.ok_or_else(|| Fault::bad("invalidHost", "there must be one Host header with a name or an address"))
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, after)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("ip", after),
            _ => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    port_fits && !name.is_empty() && name.bytes().all(allowed)
}

/// A header that must not be sent back.
pub(super) struct Unprintable;

/// `client-request-id` as it may be sent back: printable, at most 128 (PROTOCOL 13).
pub(super) fn client_request_id(headers: &HeaderMap) -> Option<Result<&HeaderValue, Unprintable>> {
    let given = headers.get("client-request-id")?;
    let fits = (1..=128).contains(&given.len()) && given.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte));
    Some(if fits { Ok(given) } else { Err(Unprintable) })
}

/// Checks `OData-Version` and `OData-MaxVersion` (PROTOCOL 21, 84); whether the request speaks 4.01.
pub(super) fn odata_version(headers: &HeaderMap) -> Result<bool, Fault> {
    let refuse = |name: &'static str| {
        let fault = Fault::bad("unsupportedODataVersion", format!("`{name}` must allow 4.0"));
        Err(fault.about(name))
    };
    let mut is_401 = false;
    for value in headers.get_all("odata-version") {
        match value.as_bytes().trim_ascii() {
            b"4.0" => {}
            b"4.01" => is_401 = true,
            _ => return refuse("OData-Version"),
        }
    }
    for value in headers.get_all("odata-maxversion") {
        let version = value.to_str().ok().and_then(|text| text.trim().split_once('.'));
        let major = version.and_then(|(major, minor)| {
            minor.parse::<u16>().ok()?;
            major.parse::<u16>().ok()
        });
        if major.is_none_or(|major| major < 4) {
            return refuse("OData-MaxVersion");
        }
    }
    Ok(is_401)
}

/// Refuses what asks for repeatability, which there is none of beyond ids (PROTOCOL 127).
pub(super) fn check_repeatability(headers: &HeaderMap) -> Result<(), Fault> {
    if !headers.contains_key("repeatability-request-id") {
        return Ok(());
    }
    let message = "repeatable requests are not supported; a create with an `id` may be repeated";
    let fault = Fault::new(StatusCode::NOT_IMPLEMENTED, "repeatabilityNotSupported", message);
    let name = HeaderName::from_static("repeatability-result");
    Err(fault.header(name, HeaderValue::from_static("rejected")))
}

/// `If-Match` and `If-None-Match`, each the list of all its lines.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, Fault> {
    let mut precondition = Precondition::none();
    precondition.if_match = tags(headers, &IF_MATCH, "If-Match")?;
    precondition.if_none_match = tags(headers, &IF_NONE_MATCH, "If-None-Match")?;
    Ok(precondition)
}

fn tags(headers: &HeaderMap, name: &HeaderName, shown: &'static str) -> Result<Option<Tags>, Fault> {
    let lines: Vec<_> = headers.get_all(name).iter().map(HeaderValue::to_str).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let lines: Result<Vec<_>, _> = lines.into_iter().collect();
    let tags = lines.map_err(|_| MalformedETag).and_then(|lines| lines.join(", ").parse());
    let malformed =
        |error: MalformedETag| Fault::bad("malformedEntityTag", format!("`{shown}` {error}")).about(shown);
    tags.map(Some).map_err(malformed)
}
