//! Bare web addresses in running text.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Address(&'a str),
}

/// Splits a text at its `http://` and `https://` addresses. Punctuation that ends a sentence, and a bracket that
/// was opened before the address, stay outside.
pub(super) fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest[from..].find("http") {
        let at = from + found;
        let alone = !rest[..at].ends_with(|c: char| c.is_alphanumeric());
        let n = if alone { address_len(&rest[at..]) } else { 0 };
        if n == 0 {
            from = at + "http".len();
            continue;
        }
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        pieces.push(Piece::Address(&rest[at..at + n]));
        rest = &rest[at + n..];
        from = 0;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Bytes of the address that a text starts with; 0 if it starts with none.
fn address_len(text: &str) -> usize {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return 0;
    };
    let scheme = text.len() - host.len();
    let stops = |c: char| c.is_whitespace() || c.is_control() || "<>\"'`|".contains(c);
    let mut address = &host[..host.find(stops).unwrap_or(host.len())];
    loop {
        let shorter = match address.chars().last() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '*' | '_') => &address[..address.len() - 1],
            Some(close @ (')' | ']')) => {
                let open = if close == ')' { '(' } else { '[' };
                if address.matches(close).count() <= address.matches(open).count() {
                    break;
                }
                &address[..address.len() - 1]
            }
            _ => break,
        };
        address = shorter;
    }
    if address.starts_with(|c: char| c.is_alphanumeric() || c == '[') {
        scheme + address.len()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_where_a_reader_would_end_it() {
        let addresses = |text| -> Vec<&str> {
            let of = |p| match p {
                Piece::Address(a) => Some(a),
                Piece::Text(_) => None,
            };
            split(text).into_iter().filter_map(of).collect()
        };
        assert_eq!(
            addresses("see https://a.example/x, or (http://b.example)."),
            ["https://a.example/x", "http://b.example"]
        );
        assert_eq!(
            addresses("https://en.example/wiki/A_(b) is"),
            ["https://en.example/wiki/A_(b)"]
        );
        for none in ["http", "https://", "xhttps://a.example", "http://.", "https:// x", ""] {
            assert!(addresses(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn the_pieces_are_the_text() {
        let text = "a http://b.example/ü c https://d d";
        let whole: String = split(text)
            .into_iter()
            .map(|p| match p {
                Piece::Text(t) | Piece::Address(t) => t,
            })
            .collect();
        assert_eq!(whole, text);
    }
}
