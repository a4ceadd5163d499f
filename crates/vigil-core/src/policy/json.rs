//! A strict reader of JSON that knows where everything stands.
//!
//! Policies are written by people: every value keeps its place, a name given twice is an error rather than the
//! last one winning, and nothing that is not JSON is taken. Lists and maps nest [`DEPTH_MAX`] deep at most.

use std::fmt;

/// How deep lists and maps may nest; a policy needs 3.
const DEPTH_MAX: usize = 16;

/// Where something stands in a text: line and column, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Json,
}

/// A value. Of numbers only whole ones are kept: a policy has no others.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Whole(u64),
    OtherNumber,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) node: Node,
}

/// What is wrong with a text that is no JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NotJson {
    pub(super) place: Place,
    pub(super) problem: &'static str,
}

pub(super) fn read(text: &str) -> Result<Node, NotJson> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() { Err(reader.error("something follows the end of the policy")) } else { Ok(node) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn place_of(&self, at: usize) -> Place {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    fn error(&self, problem: &'static str) -> NotJson {
        NotJson { place: self.place_of(self.at), problem }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Takes `word` if it is next.
    fn take(&mut self, word: &str) -> bool {
        let next = self.rest().starts_with(word);
        if next {
            self.at += word.len();
        }
        next
    }

    fn value(&mut self, depth: usize) -> Result<Node, NotJson> {
        self.space();
        if depth > DEPTH_MAX {
            return Err(self.error("nested too deep"));
        }
        let place = self.place_of(self.at);
        let value = match self.rest().bytes().next() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Json::Text(self.text()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ if self.take("true") => Json::Bool(true),
            _ if self.take("false") => Json::Bool(false),
            _ if self.take("null") => Json::Null,
            None => return Err(self.error("the text ends too early")),
            Some(_) => return Err(self.error("not a JSON value")),
        };
        Ok(Node { place, value })
    }

    fn map(&mut self, depth: usize) -> Result<Json, NotJson> {
        let mut entries: Vec<Entry> = Vec::new();
        self.at += 1;
        self.space();
        if self.take("}") {
            return Ok(Json::Map(entries));
        }
        loop {
            self.space();
            let place = self.place_of(self.at);
            if !self.rest().starts_with('"') {
                return Err(self.error("a name in double quotes is wanted here"));
            }
            let name = self.text()?;
            self.space();
            if !self.take(":") {
                return Err(self.error("`:` is wanted here"));
            }
            let node = self.value(depth + 1)?;
            entries.push(Entry { place, name, node });
            self.space();
            if self.take("}") {
                return Ok(Json::Map(entries));
            }
            if !self.take(",") {
                return Err(self.error("`,` or `}` is wanted here"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, NotJson> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            if !self.take(",") {
                return Err(self.error("`,` or `]` is wanted here"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, NotJson> {
        let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.' | 'e' | 'E');
        let length = self.rest().find(|letter| !is_part(letter)).unwrap_or(self.rest().len());
        let number = &self.rest()[..length];
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit() {
            return Err(self.error("a number does not begin with 0"));
        }
        let value = match number.parse::<u64>() {
            Ok(whole) if !number.starts_with('+') => Json::Whole(whole),
            _ if number.parse::<f64>().is_ok() => Json::OtherNumber,
            _ => return Err(self.error("not a number")),
        };
        self.at += length;
        Ok(value)
    }

    fn text(&mut self) -> Result<String, NotJson> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let Some(letter) = self.rest().chars().next() else {
                return Err(self.error("the text ends within double quotes"));
            };
            if letter < ' ' {
                return Err(self.error("a control character within double quotes"));
            }
            self.at += letter.len_utf8();
            match letter {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped()?),
                letter => text.push(letter),
            }
        }
    }

    /// The letter an escape stands for; the backslash is taken already.
    fn escaped(&mut self) -> Result<char, NotJson> {
        let Some(letter) = self.rest().chars().next() else {
            return Err(self.error("the text ends within double quotes"));
        };
        let plain = match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return Err(self.error("not an escape of JSON")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, NotJson> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff if self.take("\\") => match self.hex()? {
                second @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                _ => return Err(self.error("half of a surrogate pair")),
            },
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair"))
    }

    /// `u` and four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, NotJson> {
        let digits = self.rest().strip_prefix('u').and_then(|rest| rest.get(..4));
        let number = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error("`\\u` wants four hexadecimal digits"))?;
        self.at += 5;
        Ok(code)
    }
}
