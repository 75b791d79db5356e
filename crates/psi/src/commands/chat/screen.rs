//! What the terminal shows: the answer on standard output, wrapped at the terminal's width; thoughts, tools and
//! memory on standard error.

use std::io::IsTerminal;

use psi_agent::{
    Votes,
    agent::{AgentEvent, Approval},
};

use crate::out::out;

/// Columns of a line.
const WIDTH: usize = 80;
/// Most characters of a tool's answer that are shown.
const MAX_RESULT: usize = 400;

/// Where the cursor stands, as far as this program knows.
pub(super) struct Screen {
    wraps: bool,
    column: usize,
    word: String,
    /// Thoughts are being written.
    is_thinking: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let wraps = std::io::stdout().is_terminal();
        Self { wraps, column: 0, word: String::new(), is_thinking: false }
    }

    pub(super) fn show(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Content { text, .. } => {
                self.end_thoughts();
                self.write(&plain(text));
            }
            AgentEvent::Reasoning { text, .. } => {
                if !self.is_thinking {
                    eprint!("(thinks) ");
                    self.is_thinking = true;
                }
                eprint!("{}", plain(text));
            }
            AgentEvent::MemoryUsed { memories, .. } => {
                for memory in memories {
                    eprintln!("(memory {}: {})", memory.fact, plain(&memory.text));
                }
            }
            AgentEvent::Remembered { facts } => {
                for fact in facts {
                    eprintln!("(remembered: {})", plain(&fact.text));
                }
            }
            AgentEvent::Summarised { n_messages, text, .. } => {
                eprintln!(
                    "(the first {n_messages} messages now stand as a summary)\n{}",
                    plain(text)
                );
            }
            AgentEvent::Voted { votes, .. } if votes.done == votes.of => {
                let Votes { of, agreed, n_generated, .. } = votes;
                self.line_end();
                eprintln!("({agreed} of {of} answers agree, {n_generated} tokens)");
            }
            AgentEvent::ToolCall { call, .. } => {
                self.line_end();
                eprintln!("(calls {} {})", plain(&call.name), plain(&call.arguments.to_string()));
            }
            AgentEvent::ToolResult { message } => {
                let text = plain(&message.content);
                let n = text.chars().count();
                let short: String = text.chars().take(MAX_RESULT).collect();
                let more =
                    if n > MAX_RESULT { format!(" … ({n} characters)") } else { String::new() };
                eprintln!("(got {short}{more})");
            }
            _ => {}
        }
    }

    /// A call that waits, with everything it would be given.
    pub(super) fn ask(&mut self, approval: &Approval) {
        self.line_end();
        let effect = format!("{:?}", approval.effect).to_lowercase();
        eprintln!("psi wants to call {} ({effect}) with", plain(&approval.call.name));
        eprintln!("{}", marked(&format!("{:#}", approval.call.arguments)));
        if approval.reason == psi_agent::agent::Reason::UntrustedText {
            eprintln!("text of others is in this conversation: it may be their wish, not yours");
        }
        if approval.reason == psi_agent::agent::Reason::Unattended {
            eprintln!("a task asked for this while nobody was here");
        }
    }

    /// Ends the answer.
    pub(super) fn end(&mut self, remark: Option<&str>) {
        self.end_thoughts();
        self.line_end();
        if let Some(remark) = remark {
            eprintln!("({remark})");
        }
    }

    fn end_thoughts(&mut self) {
        if std::mem::take(&mut self.is_thinking) {
            eprintln!();
        }
    }

    /// Ends the line, if one is begun.
    fn line_end(&mut self) {
        self.end_thoughts();
        self.put_word();
        if self.column > 0 {
            out!("\n");
            self.column = 0;
        }
    }

    /// Writes a piece of the answer; a word is held back until it is whole.
    fn write(&mut self, text: &str) {
        if !self.wraps {
            out!("{text}");
            self.column = if text.ends_with('\n') { 0 } else { self.column + text.len() };
            return;
        }
        for c in text.chars() {
            match c {
                '\n' => {
                    self.put_word();
                    out!("\n");
                    self.column = 0;
                }
                ' ' => {
                    self.put_word();
                    if self.column > 0 && self.column < WIDTH {
                        out!(" ");
                        self.column += 1;
                    }
                }
                c => self.word.push(c),
            }
        }
    }

    fn put_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        let n = word.chars().count();
        if self.column > 0 && self.column + n > WIDTH {
            out!("\n");
            self.column = 0;
        }
        if !word.is_empty() {
            out!("{word}");
            self.column += n;
        }
    }
}

/// Text of models and tools without what would steer the terminal.
pub(super) fn plain(text: &str) -> String {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for what the user must be able to trust: invisible characters and those that turn the
/// direction of writing are written as their numbers.
fn marked(text: &str) -> String {
    let hidden = |c: char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '\u{ad}')
    };
    let show = |c: char| if hidden(c) { format!("\\u{{{:x}}}", c as u32) } else { c.to_string() };
    plain(text).chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_or_hides_in_an_approval() {
        assert_eq!(plain("a\u{1b}[2Jb\u{7}\nc"), "a\u{fffd}[2Jb\u{fffd}\nc");
        assert_eq!(marked("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
    }
}
