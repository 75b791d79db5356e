//! Finds the end of a JSON value in text that arrives in pieces.

/// What is known about a value so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The value goes on.
    Open,
    /// The value ended; so many bytes belong to it.
    Ended(usize),
    /// It is not JSON: what is wrong, and so many bytes were read.
    Bad(&'static str, usize),
}

/// Walks over an object or array once, a piece at a time. It knows strings, brackets and the characters
/// JSON uses outside strings; whether what it found is JSON is for the parser that reads it.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonScanner {
    /// closing brackets that are due, innermost last
    due: Vec<u8>,
    in_string: bool,
    escaped: bool,
    /// bytes that were read
    at: usize,
}

/// What numbers, `true`, `false` and `null` are made of, and what stands between values.
const OUTSIDE_STRINGS: &[u8] = b",:+-.0123456789Eaeflnrstu \t\r\n";

/// Deeper values are refused by the parser.
const MAX_DEPTH: usize = 120;

impl JsonScanner {
    /// Reads on in `text`, which holds the value from its first bracket and only ever grows.
    pub(super) fn scan(&mut self, text: &str) -> Scan {
        while let Some(&byte) = text.as_bytes().get(self.at) {
            self.at += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    0..0x20 => {
                        return Scan::Bad("a line break or control character in a string", self.at);
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' => self.due.push(b'}'),
                b'[' => self.due.push(b']'),
                b'}' | b']' => {
                    if self.due.pop() != Some(byte) {
                        return Scan::Bad("brackets that do not match", self.at);
                    }
                    if self.due.is_empty() {
                        return Scan::Ended(self.at);
                    }
                }
                _ if OUTSIDE_STRINGS.contains(&byte) => {}
                _ => return Scan::Bad("text that is not JSON", self.char_end(text)),
            }
            if self.due.len() > MAX_DEPTH {
                return Scan::Bad("too many nested values", self.at);
            }
        }
        Scan::Open
    }

    /// The end of the character that was just read.
    fn char_end(&self, text: &str) -> usize {
        (self.at..=text.len()).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len())
    }
}
