//! Stop strings in a stream: text that could still become one is held back.

/// Finds the first of several strings in text that arrives in pieces.
#[derive(Clone, Debug, Default)]
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

/// What a piece of text led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopStep {
    /// Text that can be shown now.
    pub text: String,
    /// The stop string that was met; nothing after `text` counts.
    pub stopped_by: Option<String>,
}

impl StopMatcher {
    /// A matcher for `stops`; empty strings are ignored (they would stop at once).
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        let stops = stops.into_iter().filter(|s| !s.is_empty()).collect();
        Self { stops, held: String::new() }
    }

    /// Takes the next piece of text.
    pub fn push(&mut self, piece: &str) -> StopStep {
        self.held.push_str(piece);
        let first = self.stops.iter().filter_map(|s| Some((self.held.find(s.as_str())?, s)));
        // The earliest match wins; among matches at one place, the longest.
        let first = first.min_by_key(|&(at, s)| (at, std::cmp::Reverse(s.len())));
        if let Some((at, stop)) = first {
            let stopped_by = Some(stop.clone());
            let text = self.held[..at].to_owned();
            self.held.clear();
            return StopStep { text, stopped_by };
        }
        let keep = self.stops.iter().map(|s| overlap(&self.held, s)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        StopStep { text: std::mem::replace(&mut self.held, rest), stopped_by: None }
    }

    /// The text held back, at the end of the stream.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Length of the longest proper prefix of `stop` that ends `text`.
fn overlap(text: &str, stop: &str) -> usize {
    (1..stop.len().min(text.len() + 1))
        .rev()
        .filter(|&n| stop.is_char_boundary(n))
        .find(|&n| text.ends_with(&stop[..n]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in pieces of `n` characters; returns what was shown and what stopped it.
    fn run(stops: &[&str], text: &str, n: usize) -> (String, Option<String>) {
        let mut matcher = StopMatcher::new(stops.iter().map(|&s| s.to_owned()));
        let mut shown = String::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(n) {
            let step = matcher.push(&piece.iter().collect::<String>());
            shown.push_str(&step.text);
            if step.stopped_by.is_some() {
                return (shown, step.stopped_by);
            }
        }
        shown.push_str(&matcher.finish());
        (shown, None)
    }

    #[test]
    fn a_stop_string_is_found_however_the_text_is_cut_and_never_shown() {
        for n in 1..12 {
            let (shown, by) = run(&["</s>", "\n\n"], "héllo <b> </</s> and more", n);
            assert_eq!((shown.as_str(), by.as_deref()), ("héllo <b> </", Some("</s>")), "{n}");
            assert_eq!(run(&["abc"], "ababab", n), ("ababab".to_owned(), None));
            assert_eq!(run(&[], "text", n), ("text".to_owned(), None));
            assert_eq!(run(&["ö!"], "schön ö?", n), ("schön ö?".to_owned(), None));
        }
        assert_eq!(run(&["b", "abc"], "xabc", 4).1.as_deref(), Some("abc"));
    }

    #[test]
    fn text_that_cannot_become_a_stop_is_shown_at_once() {
        let mut matcher = StopMatcher::new(["END".to_owned()]);
        assert_eq!(matcher.push("the E").text, "the ");
        assert_eq!(matcher.push("N").text, "");
        assert_eq!(matcher.push("x").text, "ENx");
    }
}
