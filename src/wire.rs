//! Graph's JSON shapes: bytes ⇄ [`Patch`], [`NewOperation`], [`Operation`], [`Error`]. Pure.
//!
//! A body is read member by member: absent and null differ, annotations (`@…`, `x@…`) never fail, any other
//! unknown name and any name twice does (PROTOCOL 35-38, 58; FAULTS 3, 4).

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::model::log::Line;
use crate::model::{
    Amount, Failure, Json, NewOperation, Operation, OperationId, Patch, Progress, Status, Timestamp, TraceParent,
    Unfit,
};

mod problem;

pub use self::problem::{Problem, phrase};

/// The type that the page names.
pub const OPERATION: &str = "microsoft.graph.operation";
/// The type of the one Graph entity set that real SDKs PATCH.
pub const ONENOTE_OPERATION: &str = "microsoft.graph.onenoteOperation";

/// A PATCH body, read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PatchBody {
    /// What it changes.
    pub patch: Patch,
    /// `@odata.etag`, which counts only under OData 4.01 (PROTOCOL 82, 83).
    pub etag: Option<String>,
}

/// Reads the body of a PATCH on an entity of the declared type.
///
/// `Invalid` with the member as target: `malformedBody`, `duplicateProperty`, `unknownProperty`,
/// `invalidPropertyValue`, `typeMismatch`.
pub fn patch(body: &[u8], declared: &str) -> Result<PatchBody> {
    let mut read = Reading::new(declared);
    for Member { name, value } in members(body)? {
        if !read.annotation(&name, value)? && !read.change(&name, value)? && !is_read_only(&name, declared) {
            return Err(unknown(&name));
        }
    }
    Ok(PatchBody { patch: read.patch, etag: read.etag })
}

/// Reads the body of a POST: the members of a PATCH, and those that are set by create only (PROTOCOL b-12).
pub fn new_operation(body: &[u8], declared: &str) -> Result<NewOperation> {
    let mut read = Reading::new(declared);
    let mut new = NewOperation::untyped();
    for Member { name, value } in members(body)? {
        match &*name {
            "id" | "retryOf" => {
                if let Some(text) = text_or_null(&name, value)? {
                    let id: OperationId = text.parse().map_err(|error: crate::model::InvalidId| {
                        Error::from(Unfit::new(&*name, error.to_string()))
                    })?;
                    new = if name == "id" { new.id(id) } else { new.retry_of(id) };
                }
            }
            "type" => {
                if let Some(text) = text_or_null(&name, value)? {
                    new.type_name = Some(text.into());
                }
            }
            "labels" => new = labels(new, value)?,
            "group" => new.more.group = text_or_null(&name, value)?.map(Into::into),
            "traceParent" => {
                if let Some(text) = text_or_null(&name, value)? {
                    new.more.trace_parent = Some(text.parse()?);
                }
            }
            "uniqueKey" => new.more.unique_key = text_or_null(&name, value)?.map(Into::into),
            "deadlineDateTime" => {
                if !is_null(value) {
                    new.more.deadline = Some(timestamp(&name, value)?);
                }
            }
            _ => {
                if !read.annotation(&name, value)? && !read.change(&name, value)? && !is_read_only(&name, declared)
                {
                    return Err(unknown(&name));
                }
            }
        }
    }
    Ok(new.patch(read.patch))
}

/// The body of `start`: `{"holder": ".."}`; `None` where it names none.
pub fn holder(body: &[u8]) -> Result<Option<String>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let mut holder = None;
    for Member { name, value } in members(body)? {
        match &*name {
            "holder" => holder = text_or_null(&name, value)?,
            name if name.contains('@') => {}
            name => return Err(unknown(name)),
        }
    }
    Ok(holder)
}

/// One member of a body, in its place.
struct Member<'a> {
    name: String,
    value: &'a RawValue,
}

/// The members of an object, no name twice.
fn members(body: &[u8]) -> Result<Vec<Member<'_>>> {
    let malformed = |what: &str| Error::new(ErrorKind::Invalid, "malformedBody", format!("the body {what}"));
    let text = std::str::from_utf8(body).map_err(|_| malformed("must be UTF-8"))?;
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(malformed("must be a JSON object"));
    }
    let Members(list) = serde_json::from_str(text).map_err(|error| malformed(&format!("is no JSON: {error}")))?;
    let mut seen = HashSet::new();
    for member in &list {
        if !seen.insert(&*member.name) {
            return Err(twice(&member.name));
        }
    }
    Ok(list)
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    list.push(Member { name, value });
                }
                Ok(Members(list))
            }
        }

        deserializer.deserialize_map(All)
    }
}

fn twice(name: &str) -> Error {
    let message = format!("`{}` must not be given twice", name.escape_debug());
    Error::new(ErrorKind::Invalid, "duplicateProperty", message).about(name)
}

fn unknown(name: &str) -> Error {
    let message = format!("`{}` is no property of an operation", name.escape_debug());
    Error::new(ErrorKind::Invalid, "unknownProperty", message).about(name)
}

fn unfit(name: &str, rule: &str) -> Error {
    Unfit::new(name, rule).into()
}

/// Members that a client may send back and never sets by PATCH (PROTOCOL 35, e).
fn is_read_only(name: &str, declared: &str) -> bool {
    const NAMES: [&str; 13] = [
        "id",
        "createdDateTime",
        "startedDateTime",
        "cancellationRequestedDateTime",
        "deadlineDateTime",
        "group",
        "uniqueKey",
        "holder",
        "log",
        "traceParent",
        "type",
        "labels",
        "retryOf",
    ];
    NAMES.contains(&name) || (declared == ONENOTE_OPERATION && name == "resourceId")
}

struct Reading<'a> {
    declared: &'a str,
    patch: Patch,
    etag: Option<String>,
}

impl<'a> Reading<'a> {
    fn new(declared: &'a str) -> Self {
        Self { declared, patch: Patch::new(), etag: None }
    }

    /// Reads an annotation; `false` if this is none.
    fn annotation(&mut self, name: &str, value: &RawValue) -> Result<bool> {
        match name {
            "@odata.type" | "@type" => {
                let given: String = serde_json::from_str(value.get()).unwrap_or_default();
                if !self.is_declared(&given) {
                    let message = format!("`{name}` must be #{}", self.declared);
                    return Err(Error::new(ErrorKind::Invalid, "typeMismatch", message).about(name));
                }
            }
            "@odata.etag" | "@etag" => self.etag = serde_json::from_str(value.get()).ok(),
            _ => return Ok(name.contains('@')),
        }
        Ok(true)
    }

    /// The declared type or its base, with or without `#`, absolute or not (PROTOCOL 49-52, b-10).
    fn is_declared(&self, given: &str) -> bool {
        let name = given.rsplit_once('#').map_or(given, |(_, name)| name);
        name.eq_ignore_ascii_case(self.declared) || name.eq_ignore_ascii_case(OPERATION)
    }

    /// Reads a member that a PATCH may change; `false` if this is none.
    fn change(&mut self, name: &str, value: &RawValue) -> Result<bool> {
        let patch = &mut self.patch;
        match name {
            "status" => patch.status = Some(text(name, value)?.parse::<Status>()?),
            "lastActionDateTime" => patch.time = Some(timestamp(name, value)?),
            "percentageComplete" => {
                if !is_null(value) {
                    let percent: i64 = serde_json::from_str(value.get())
                        .map_err(|_| unfit(name, "must be a whole number from 0 to 100"))?;
                    patch.progress = Some(percent);
                }
            }
            "percentComplete" if self.declared == ONENOTE_OPERATION => {
                if let Some(text) = text_or_null(name, value)? {
                    let percent: i64 =
                        text.parse().map_err(|_| unfit(name, "must be the text of a whole number"))?;
                    Progress::try_from(percent).map_err(|fault: Unfit| unfit(name, &fault.rule))?;
                    patch.progress = Some(percent);
                }
            }
            "progress" => {
                if !is_null(value) {
                    patch.amount = Some(amount(value)?);
                }
            }
            "statusDetail" => patch.detail = text_or_null(name, value)?.into(),
            "resourceLocation" => patch.location = text_or_null(name, value)?.into(),
            "result" => {
                if !is_null(value) {
                    patch.result = Some(json(name, value)?);
                }
            }
            "error" => patch.failure = failure(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn text(name: &str, value: &RawValue) -> Result<String> {
    serde_json::from_str(value.get()).map_err(|_| unfit(name, "must be a string"))
}

fn timestamp(name: &str, value: &RawValue) -> Result<Timestamp> {
    let time: Result<Timestamp, _> = text(name, value)?.parse();
    time.map_err(|error| unfit(name, &error.to_string()))
}

fn text_or_null(name: &str, value: &RawValue) -> Result<Option<String>> {
    serde_json::from_str(value.get()).map_err(|_| unfit(name, "must be a string or null"))
}

fn json(name: &str, value: &RawValue) -> Result<Json> {
    value.get().parse().map_err(|error: crate::model::JsonError| unfit(name, &error.to_string()))
}

/// The members of an object inside a body.
fn inner<'a>(name: &str, value: &'a RawValue) -> Result<Vec<Member<'a>>> {
    if !value.get().starts_with('{') {
        return Err(unfit(name, "must be an object"));
    }
    members(value.get().as_bytes()).map_err(|error| {
        let target = error.target().map_or_else(|| name.into(), |inner| format!("{name}/{inner}"));
        error.about(target)
    })
}

fn amount(value: &RawValue) -> Result<Amount> {
    let (mut done, mut total, mut unit) = (None, None, String::new());
    for Member { name, value } in inner("progress", value)? {
        let path = format!("progress/{name}");
        let number = || {
            let number: Option<u64> = serde_json::from_str(value.get()).ok();
            number.ok_or_else(|| unfit(&path, "must be a whole number that is not negative"))
        };
        match &*name {
            "done" => done = Some(number()?),
            "total" => total = Some(number()?),
            "unit" => unit = text_or_null(&path, value)?.unwrap_or_default(),
            name if name.contains('@') => {}
            _ => return Err(unknown(&path)),
        }
    }
    let missing = |name: &str| unfit(&format!("progress/{name}"), "must be a whole number that is not negative");
    Ok(Amount::new(done.ok_or_else(|| missing("done"))?, total.ok_or_else(|| missing("total"))?, unit))
}

fn failure(value: &RawValue) -> Result<Option<Failure>> {
    if is_null(value) {
        return Ok(None);
    }
    let (mut code, mut message, mut target, mut details) = (None, None, None, None);
    for Member { name, value } in inner("error", value)? {
        let path = format!("error/{name}");
        match &*name {
            "code" => code = text_or_null(&path, value)?,
            "message" => message = text_or_null(&path, value)?,
            "target" => target = text_or_null(&path, value)?,
            "details" if is_null(value) => {}
            "details" => details = Some(json(&path, value)?),
            name if name.contains('@') => {}
            _ => return Err(unknown(&path)),
        }
    }
    let (code, message) = match (code, message) {
        (Some(code), Some(message)) => (code, message),
        // The TypeScript SDK writes a null complex member back so.
        (None, None) if target.is_none() && details.is_none() => return Ok(None),
        (None, _) => return Err(unfit("error/code", "must be a string")),
        (_, None) => return Err(unfit("error/message", "must be a string")),
    };
    let mut failure = Failure::new(code, message);
    if let Some(target) = target {
        failure = failure.target(target);
    }
    if let Some(details) = details {
        failure = failure.details(details);
    }
    Ok(Some(failure))
}

fn labels(mut new: NewOperation, value: &RawValue) -> Result<NewOperation> {
    if is_null(value) {
        return Ok(new);
    }
    for Member { name, value } in inner("labels", value)? {
        if !name.contains('@') {
            let path = format!("labels/{name}");
            new = new.label(name, text(&path, value)?);
        }
    }
    Ok(new)
}

/// An operation as a JSON object: `@odata.type` and the members in the page's order, then the optional
/// ones that are set (PROTOCOL e).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entity<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The type that the mount declares.
    pub declared: &'a str,
    /// The context URL; becomes the first member.
    pub context: Option<&'a str>,
    /// Whether `@odata.etag` is a member.
    pub etag: bool,
    /// Members to show; all if absent. Annotations are shown all the same.
    pub select: Option<&'a [String]>,
    /// Whether to leave null members out (`Prefer: omit-values=nulls`).
    pub omit_nulls: bool,
    /// A member whose null is shown all the same, for a PATCH has made it so (OData 8.2.8.6).
    pub nulled: Option<&'a str>,
}

impl<'a> Entity<'a> {
    /// An operation as the page shows it, with the optional members that are set.
    pub const fn new(operation: &'a Operation) -> Self {
        Self {
            operation,
            declared: OPERATION,
            context: None,
            etag: false,
            select: None,
            omit_nulls: false,
            nulled: None,
        }
    }

    fn shows(&self, name: &str) -> bool {
        self.select.is_none_or(|names| names.iter().any(|wanted| wanted == name))
    }
}

/// Writes the members of an entity that are wanted.
struct Writer<'a, 'b, M> {
    entity: &'a Entity<'b>,
    map: M,
}

impl<M: SerializeMap> Writer<'_, '_, M> {
    fn member(&mut self, name: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
        match value {
            Some(value) if self.entity.shows(name) => self.map.serialize_entry(name, &value),
            _ => Ok(()),
        }
    }

    /// A member that is null where it is not set.
    fn nullable(&mut self, name: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
        let left_out = self.entity.omit_nulls && self.entity.nulled != Some(name);
        if value.is_none() && left_out { Ok(()) } else { self.member(name, Some(value)) }
    }
}

impl Serialize for Entity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { operation, .. } = self;
        let stamps = operation.stamps();
        let date = |stamp: Timestamp| stamp.to_string();
        let mut to = Writer { entity: self, map: serializer.serialize_map(None)? };
        if let Some(context) = self.context {
            to.map.serialize_entry("@odata.context", context)?;
        }
        to.map.serialize_entry("@odata.type", &format_args!("#{}", self.declared))?;
        if self.etag {
            to.map.serialize_entry("@odata.etag", &operation.etag().to_string())?;
        }
        to.member("id", Some(operation.id()))?;
        to.member("status", Some(operation.status().as_str()))?;
        to.member("createdDateTime", Some(date(stamps.created)))?;
        to.member("lastActionDateTime", Some(date(stamps.last_action)))?;
        to.member("type", operation.type_name())?;
        to.member("labels", (operation.labels().len() > 0).then_some(Labels(operation)))?;
        to.member("retryOf", operation.retry_of())?;
        to.member("group", operation.group())?;
        to.member("uniqueKey", operation.unique_key())?;
        to.member("traceParent", operation.trace_parent().map(TraceParent::as_str))?;
        to.member("deadlineDateTime", stamps.deadline.map(date))?;
        to.member("percentageComplete", operation.progress().map(Progress::percent))?;
        to.member("progress", operation.amount().map(Done))?;
        to.member("statusDetail", operation.detail())?;
        to.member("log", (operation.log().len() > 0).then_some(Log(operation)))?;
        if self.declared == ONENOTE_OPERATION {
            to.nullable("percentComplete", operation.progress().map(|progress| progress.percent().to_string()))?;
            to.nullable("resourceId", None::<&str>)?;
            to.nullable("resourceLocation", operation.resource_location())?;
        } else {
            to.member("resourceLocation", operation.resource_location())?;
        }
        to.member("result", operation.result_json())?;
        to.member("error", operation.failure().map(Reason))?;
        to.member("holder", operation.holder())?;
        to.member("startedDateTime", stamps.started.map(date))?;
        to.member("cancellationRequestedDateTime", stamps.cancellation_requested.map(date))?;
        to.map.end()
    }
}

struct Done<'a>(&'a Amount);

impl Serialize for Done<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("done", &self.0.done())?;
        map.serialize_entry("total", &self.0.total())?;
        if !self.0.unit().is_empty() {
            map.serialize_entry("unit", self.0.unit())?;
        }
        map.end()
    }
}

struct Log<'a>(&'a Operation);

impl Serialize for Log<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Said<'a>(&'a Line);

        impl Serialize for Said<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("dateTime", &self.0.at.to_string())?;
                map.serialize_entry("statusDetail", &self.0.text)?;
                map.end()
            }
        }

        serializer.collect_seq(self.0.lines().iter().map(Said))
    }
}

struct Labels<'a>(&'a Operation);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.labels())
    }
}

/// A failure as the member `error`.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a>(
    /// The failure.
    pub &'a Failure,
);

impl Serialize for Reason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.0.code())?;
        map.serialize_entry("message", self.0.message())?;
        if let Some(target) = self.0.about() {
            map.serialize_entry("target", target)?;
        }
        if let Some(details) = self.0.more() {
            map.serialize_entry("details", details)?;
        }
        map.end()
    }
}

impl Error {
    /// This error as the JSON body that HTTP would answer.
    pub fn to_json(&self) -> String {
        to_json(&Problem::new(self, &[]))
    }
}

/// Compact JSON of a shape of this module.
pub fn to_json(shape: &impl Serialize) -> String {
    // Serialising into memory fails on keys that are no text only; these shapes have none.
    serde_json::to_string(shape).unwrap_or_default()
}
