//! `$filter` expressions: OData's grammar (ABNF `boolCommonExpr`), read into the few shapes that lists can
//! serve; what is well-formed beyond them becomes [`Expression::Other`].

use crate::model::Timestamp;

/// Levels of parentheses and operators.
const MAX_DEPTH: usize = 32;

/// A part of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Or(Vec<Self>),
    And(Vec<Self>),
    Compare(&'static str, Box<Self>, Box<Self>),
    In(Box<Self>, Vec<Self>),
    /// `status`, `labels/order`.
    Path(Vec<String>),
    /// `'text'`.
    Text(String),
    /// `name.space'Member'`.
    Enum(String),
    Date(Timestamp),
    /// Well-formed, and more than lists can serve.
    Other,
}

/// Reads a whole filter; `None` if it is malformed.
pub(super) fn parse(text: &str) -> Option<Expression> {
    let mut reader = Reader { rest: text, depth: 0 };
    reader.spaces();
    let expression = reader.or()?;
    reader.spaces();
    // A value that is no condition is no filter, but for what may be one.
    let is_condition = !matches!(expression, Expression::Text(_) | Expression::Enum(_) | Expression::Date(_));
    (reader.rest.is_empty() && is_condition).then_some(expression)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl<'a> Reader<'a> {
    fn spaces(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches([' ', '\t']);
        let moved = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        moved
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// One of these words, between spaces.
    fn operator(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let before = self.rest;
        if self.spaces() {
            let word = self.take_while(is_name);
            if let Some(found) = words.iter().find(|candidate| **candidate == word)
                && self.spaces()
            {
                return Some(found);
            }
        }
        self.rest = before;
        None
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let value = if self.depth > MAX_DEPTH { None } else { read(self) };
        self.depth -= 1;
        value
    }

    fn or(&mut self) -> Option<Expression> {
        self.deeper(|reader| reader.joined("or", Self::and, Expression::Or))
    }

    fn and(&mut self) -> Option<Expression> {
        self.joined("and", Self::comparison, Expression::And)
    }

    fn joined(
        &mut self,
        word: &'static str,
        part: impl Fn(&mut Self) -> Option<Expression>,
        join: impl FnOnce(Vec<Expression>) -> Expression,
    ) -> Option<Expression> {
        let first = part(self)?;
        let mut parts = vec![first];
        while self.operator(&[word]).is_some() {
            parts.push(part(self)?);
        }
        if parts.len() == 1 { parts.pop() } else { Some(join(parts)) }
    }

    fn comparison(&mut self) -> Option<Expression> {
        let left = self.sum()?;
        let Some(operator) = self.operator(&["eq", "ne", "gt", "ge", "lt", "le", "has", "in"]) else {
            return Some(left);
        };
        if operator == "in" {
            return Some(match self.sum()? {
                Expression::Or(list) => Expression::In(Box::new(left), list),
                _ => Expression::Other,
            });
        }
        let right = self.sum()?;
        Some(Expression::Compare(operator, Box::new(left), Box::new(right)))
    }

    fn sum(&mut self) -> Option<Expression> {
        let mut value = self.unary()?;
        while self.operator(&["add", "sub", "mul", "div", "divby", "mod"]).is_some() {
            self.unary()?;
            value = Expression::Other;
        }
        Some(value)
    }

    fn unary(&mut self) -> Option<Expression> {
        let before = self.rest;
        if self.take_while(is_name) == "not" && self.spaces() {
            self.deeper(Self::comparison)?;
            return Some(Expression::Other);
        }
        self.rest = before;
        if self.rest.starts_with('-')
            && !self.rest.get(1..).unwrap_or_default().starts_with(|c: char| c.is_ascii_digit())
        {
            self.eat("-");
            if !self.eat("INF") {
                self.spaces();
                self.deeper(Self::unary)?;
            }
            return Some(Expression::Other);
        }
        self.primary()
    }

    fn primary(&mut self) -> Option<Expression> {
        match self.rest.chars().next()? {
            '(' => self.group(),
            '\'' => self.text().map(Expression::Text),
            '[' | '{' => self.json(),
            c if c.is_ascii_digit() || c == '-' => self.number(),
            '@' | '$' => {
                self.rest = self.rest.get(1..)?;
                let name = self.take_while(is_name);
                (!name.is_empty()).then_some(Expression::Other)?;
                self.members().map(|_| Expression::Other)
            }
            c if c.is_alphabetic() || c == '_' => self.guid().or_else(|| self.word()),
            _ => None,
        }
    }

    /// `(expression)`, or the list of an `in`.
    fn group(&mut self) -> Option<Expression> {
        self.eat("(");
        self.spaces();
        let first = self.or()?;
        let mut list = vec![first];
        self.spaces();
        while self.eat(",") {
            self.spaces();
            list.push(self.or()?);
            self.spaces();
        }
        if !self.eat(")") {
            return None;
        }
        let is_value = |value: &Expression| matches!(value, Expression::Text(_) | Expression::Enum(_));
        match list.len() {
            1 if !list.iter().all(is_value) => list.pop(),
            _ if list.iter().all(is_value) => Some(Expression::Or(list)),
            _ => Some(Expression::Other),
        }
    }

    /// A quoted text; a quote in it is doubled.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        if !self.eat("'") {
            return None;
        }
        loop {
            text.push_str(self.take_while(|c| c != '\''));
            if !self.eat("'") {
                return None;
            }
            if !self.eat("'") {
                return Some(text);
            }
            text.push('\'');
        }
    }

    fn json(&mut self) -> Option<Expression> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<serde::de::IgnoredAny>();
        values.next()?.ok()?;
        let end = values.byte_offset();
        self.rest = self.rest.get(end..)?;
        Some(Expression::Other)
    }

    fn guid(&mut self) -> Option<Expression> {
        let (candidate, rest) = self.rest.split_at_checked(36)?;
        let ends = !rest.starts_with(|c: char| is_name(c) || c == '-');
        (ends && uuid::Uuid::try_parse(candidate).is_ok()).then(|| self.rest = rest)?;
        Some(Expression::Other)
    }

    /// A number, a date, a time of day or a GUID.
    fn number(&mut self) -> Option<Expression> {
        if let Some(guid) = self.guid() {
            return Some(guid);
        }
        let run = self.take_while(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
        if let Ok(date) = run.parse() {
            return Some(Expression::Date(date));
        }
        let is_number = run.parse::<f64>().is_ok() && !run.ends_with('.') && !run.contains(['n', 'N', 'i', 'I']);
        let is_date = chrono::NaiveDate::parse_from_str(run, "%Y-%m-%d").is_ok();
        let is_time = ["%H:%M", "%H:%M:%S", "%H:%M:%S%.f"]
            .iter()
            .any(|format| chrono::NaiveTime::parse_from_str(run, format).is_ok());
        (is_number || is_date || is_time).then_some(Expression::Other)
    }

    /// A literal word, a prefixed literal, a path or a function call.
    fn word(&mut self) -> Option<Expression> {
        let mut name = self.take_while(is_name);
        let before_dots = name;
        // `name.space.Type` is one segment; a label's key may have dots too, and comes after `labels/`.
        let start = self.rest;
        let dotted = self.take_while(|c| is_name(c) || c == '.');
        if !dotted.is_empty() {
            if dotted.ends_with('.') || dotted.contains("..") {
                return None;
            }
            name = before_dots;
        }
        if self.rest.starts_with('\'') {
            let value = self.text()?;
            return Some(if dotted.is_empty() { Expression::Other } else { Expression::Enum(value) });
        }
        if dotted.is_empty() && ["null", "true", "false", "INF", "NaN"].contains(&name) {
            return Some(Expression::Other);
        }
        let called = self.arguments()?;
        let is_plain = dotted.is_empty() && !called && start.len() == self.rest.len();
        let members = self.members()?;
        Some(match members {
            Some(mut members) if is_plain => {
                members.insert(0, name.to_owned());
                Expression::Path(members)
            }
            _ => Expression::Other,
        })
    }

    /// What follows a `/`: names of members; `None` inside where there is more than names.
    #[expect(clippy::option_option, reason = "malformed, or well-formed and more than names")]
    fn members(&mut self) -> Option<Option<Vec<String>>> {
        let mut names = Some(Vec::new());
        while self.eat("/") {
            let name = self.take_while(|c| is_name(c) || "$@.-".contains(c));
            if name.is_empty() {
                return None;
            }
            if self.arguments()? || name.starts_with(['$', '@']) {
                names = None;
            }
            if let Some(names) = &mut names {
                names.push(name.to_owned());
            }
        }
        Some(names)
    }

    /// The arguments of a call, a lambda or a key; whether there were any parentheses.
    fn arguments(&mut self) -> Option<bool> {
        if !self.eat("(") {
            return Some(false);
        }
        self.spaces();
        if self.eat(")") {
            return Some(true);
        }
        loop {
            self.argument_name();
            self.or()?;
            self.spaces();
            if self.eat(")") {
                return Some(true);
            }
            if !self.eat(",") {
                return None;
            }
            self.spaces();
        }
    }

    /// `name=` of an argument, `name:` of a lambda.
    fn argument_name(&mut self) {
        let before = self.rest;
        let name = self.take_while(is_name);
        let names = !name.is_empty() && (self.eat("=") || self.eat(":"));
        if names {
            self.spaces();
        } else {
            self.rest = before;
        }
    }
}
