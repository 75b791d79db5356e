//! Summing up older turns when a conversation outgrows the context: shown, kept, never silent.

use crate::conversation::{Message, Role, Summary};

/// Most characters of one turn in a summary by rule, for the user's and the assistant's part.
const USER_CHARS: usize = 160;
const ASSISTANT_CHARS: usize = 240;

/// How many of a path's first messages are to be summed up. All turns but the present one and, at first,
/// the one before; `None` when that is no more than what `old` stands for already.
pub(super) fn span(path: &[Message], old: Option<&Summary>) -> Option<usize> {
    let turns: Vec<usize> =
        path.iter().enumerate().filter(|(_, m)| m.role == Role::User).map(|(i, _)| i).collect();
    let covered = old.and_then(|s| path.iter().position(|m| m.id == s.upto)).map_or(0, |i| i + 1);
    // Keeping two turns, else one.
    [2, 1].iter().find_map(|keep| {
        let end = *turns.get(turns.len().checked_sub(*keep)?)?;
        (end > covered).then_some(end)
    })
}

/// A summary by rule: what each turn asked and how it was answered, shortened; under `max_chars` by
/// leaving out the oldest turns, which it says.
pub(super) fn by_rule(old: Option<&Summary>, messages: &[Message], max_chars: usize) -> String {
    let mut lines: Vec<String> =
        old.map(|s| s.content.lines().map(str::to_owned).collect()).unwrap_or_default();
    for message in messages {
        match message.role {
            Role::User => lines.push(format!("- User: {}", shorten(&message.content, USER_CHARS))),
            Role::Assistant if !message.content.trim().is_empty() => {
                lines.push(format!("  You: {}", shorten(&message.content, ASSISTANT_CHARS)));
            }
            Role::Assistant | Role::Tool => {}
        }
    }
    let mut n_chars: usize = lines.iter().map(|l| l.chars().count() + 1).sum();
    let mut n_left_out = 0;
    while n_chars > max_chars && n_left_out < lines.len() {
        n_chars -= lines[n_left_out].chars().count() + 1;
        n_left_out += 1;
    }
    if n_left_out > 0 {
        lines.drain(..n_left_out);
        lines.insert(0, "(the oldest turns are left out)".to_owned());
    }
    lines.join("\n")
}

/// What a model is asked in order to sum up.
pub(super) fn request(old: Option<&Summary>, messages: &[Message]) -> String {
    let mut text = String::from(
        "Sum up the conversation below in at most ten short sentences. Keep names, numbers, dates, \
         decisions and open questions. Write only the summary.\n\n",
    );
    if let Some(old) = old {
        text.push_str(&format!("Summary of what came before: {}\n\n", old.content));
    }
    for message in messages.iter().filter(|m| m.role != Role::Tool && !m.content.is_empty()) {
        let who = if message.role == Role::User { "User" } else { "Assistant" };
        text.push_str(&format!("{who}: {}\n", message.content));
    }
    text
}

/// The beginning of a text, up to a sentence's or word's end.
fn shorten(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= max_chars {
        return line;
    }
    let cut: String = line.chars().take(max_chars).collect();
    let end = cut.rfind(". ").map(|at| at + 1).filter(|&at| at > cut.len() / 2);
    let end = end.or_else(|| cut.rfind(' ')).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conversation::{ConversationId, Details, MessageId, MessageState},
        time::Timestamp,
    };

    fn path(roles: &str) -> Vec<Message> {
        let message = |(i, role): (usize, char)| Message {
            id: MessageId(i as i64 + 1),
            conversation: ConversationId(1),
            parent: None,
            role: if role == 'u' { Role::User } else { Role::Assistant },
            content: format!("{role}{i}"),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            state: MessageState::Complete,
            details: Details::default(),
            created_at: Timestamp(0),
        };
        roles.chars().enumerate().map(message).collect()
    }

    fn summary(upto: i64, content: &str) -> Summary {
        Summary { id: 1, upto: MessageId(upto), content: content.into(), n_messages: 1 }
    }

    #[test]
    fn older_turns_are_summed_up_first_all_but_two_then_all_but_the_present_one() {
        assert_eq!(span(&path("uauau"), None), Some(2));
        assert_eq!(span(&path("uauau"), Some(&summary(2, ""))), Some(4));
        assert_eq!(span(&path("uauau"), Some(&summary(4, ""))), None);
        assert_eq!(span(&path("uau"), None), Some(2));
        assert_eq!(span(&path("u"), None), None);
    }

    #[test]
    fn a_summary_by_rule_keeps_every_turn_or_says_that_it_does_not() {
        let whole = by_rule(Some(&summary(1, "- User: before")), &path("ua"), 1000);
        assert_eq!(whole, "- User: before\n- User: u0\n  You: a1");
        let short = by_rule(None, &path("uaua"), 25);
        assert_eq!(short, "(the oldest turns are left out)\n- User: u2\n  You: a3");
        assert_eq!(shorten("One thing. Another thing and more", 15), "One thing.…");
    }
}
