//! Bounds on what people write: lengths and characters, checked where a text enters.

/// What a field must be, and that it is not. The message completes "`field` ..".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The member's name as the wire spells it.
    pub field: String,
    /// The rule, in words.
    pub rule: String,
}

impl Unfit {
    pub(crate) fn new(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { field: field.into(), rule: rule.into() }
    }
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.field, self.rule)
    }
}

/// A name: 1 to `max` characters without control characters (C0, DEL, C1).
pub(crate) fn name(field: &str, text: &str, max: usize) -> Result<(), Unfit> {
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(Unfit::new(field, format!("must have 1 to {max} characters, has {length}")));
    }
    if text.chars().any(char::is_control) {
        return Err(Unfit::new(field, "must not contain control characters"));
    }
    Ok(())
}

/// Free text: at most `max` bytes, no U+0000, which PostgreSQL cannot keep.
pub(crate) fn free(field: &str, text: &str, max: usize) -> Result<(), Unfit> {
    if text.len() > max {
        return Err(Unfit::new(field, format!("must have at most {max} bytes, has {}", text.len())));
    }
    if text.contains('\0') {
        return Err(Unfit::new(field, "must not contain U+0000"));
    }
    Ok(())
}

/// The key of a label: `[A-Za-z0-9._-]{1,64}`.
pub(crate) fn label_key(key: &str) -> Result<(), Unfit> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if key.is_empty() || key.len() > 64 || !key.bytes().all(allowed) {
        return Err(Unfit::new("labels", "must have keys of 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    Ok(())
}

/// RFC 3986 *URI-reference* of at most `max` bytes.
pub(crate) fn uri_reference(field: &str, text: &str, max: usize) -> Result<(), Unfit> {
    free(field, text, max)?;
    if is_uri_reference(text) { Ok(()) } else { Err(Unfit::new(field, "must be a URI reference (RFC 3986)")) }
}

fn is_uri_reference(text: &str) -> bool {
    let (text, fragment) = text.split_once('#').map_or((text, ""), |(before, after)| (before, after));
    let (text, query) = text.split_once('?').map_or((text, ""), |(before, after)| (before, after));
    if !made_of(fragment, b"/?") || !made_of(query, b"/?") {
        return false;
    }
    let first_segment = text.split('/').next().unwrap_or_default();
    let rest = match first_segment.split_once(':') {
        Some((scheme, _)) => {
            if !is_scheme(scheme) {
                return false;
            }
            text.get(scheme.len().saturating_add(1)..).unwrap_or_default()
        }
        None => text,
    };
    let path = match rest.strip_prefix("//") {
        Some(after) => {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            if !is_authority(authority) {
                return false;
            }
            path
        }
        None => rest,
    };
    made_of(path, b"/")
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_authority(authority: &str) -> bool {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains('@') || !made_of(user, b"") {
        return false;
    }
    let (host, port) = match host.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((inside, after)) => {
                let future = inside.starts_with(['v', 'V']) && inside.contains('.') && made_of(inside, b"");
                if inside.parse::<std::net::Ipv6Addr>().is_err() && !future {
                    return false;
                }
                match after.strip_prefix(':') {
                    Some(port) => ("", port),
                    None if after.is_empty() => ("", ""),
                    None => return false,
                }
            }
            None => return false,
        },
        None => host.rsplit_once(':').unwrap_or((host, "")),
    };
    !host.contains(':') && made_of(host, b"") && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `pchar`s, well-formed percent escapes, and `extra`.
fn made_of(part: &str, extra: &[u8]) -> bool {
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let fits = if byte == b'%' {
            bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())
                && bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())
        } else {
            byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) || extra.contains(&byte)
        };
        if !fits {
            return false;
        }
    }
    true
}
