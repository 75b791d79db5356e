//! What a line that begins with `/` does.

use std::path::Path;

use psi_agent::{
    ConversationId, Hit, Message, MessageState, Role, TitleOrigin,
    assistant::Run,
    feedback::{Feedback, Rating},
};

use super::{Chat, begin, screen::plain};
use crate::{
    error::{Failure, Outcome, unusable},
    out::outln,
};

/// A command: its names, its help, and what it does with the rest of the line.
struct Entry {
    name: &'static str,
    argument: &'static str,
    help: &'static str,
    run: fn(&mut Chat, &str) -> Outcome<Next>,
}

/// What comes after a command.
pub(super) enum Next {
    /// The next line.
    Go,
    /// An answer is being written.
    Watch(Run),
    /// Nothing.
    Quit,
}

/// Every command, sorted by name.
const COMMANDS: &[Entry] = &[
    Entry {
        name: "attach",
        argument: "PATH",
        help: "give a file with the next message",
        run: Chat::attach,
    },
    Entry {
        name: "bad",
        argument: "[TAGS]",
        help: "thumb down for the last answer",
        run: |c, a| c.rate(Rating::Down, a),
    },
    Entry {
        name: "better",
        argument: "TEXT",
        help: "what would have been a better last answer",
        run: Chat::better,
    },
    Entry {
        name: "delete",
        argument: "",
        help: "delete this conversation and begin a new one",
        run: |c, _| c.delete(),
    },
    Entry {
        name: "edit",
        argument: "TEXT",
        help: "say this instead of your last message",
        run: Chat::edit,
    },
    Entry { name: "forget", argument: "N", help: "forget a fact", run: Chat::forget },
    Entry {
        name: "good",
        argument: "[TAGS]",
        help: "thumb up for the last answer",
        run: |c, a| c.rate(Rating::Up, a),
    },
    Entry { name: "help", argument: "", help: "this list", run: |_, _| help() },
    Entry { name: "list", argument: "", help: "the latest conversations", run: |c, _| c.list() },
    Entry { name: "memory", argument: "[WORDS]", help: "what is remembered", run: Chat::memory },
    Entry { name: "new", argument: "", help: "begin a new conversation", run: |c, _| c.renew() },
    Entry {
        name: "next",
        argument: "",
        help: "show the next version of the last answer",
        run: |c, _| c.next_version(),
    },
    Entry { name: "open", argument: "N", help: "go on with a conversation", run: Chat::open },
    Entry { name: "quit", argument: "", help: "end", run: |_, _| Ok(Next::Quit) },
    Entry { name: "retry", argument: "", help: "answer once more", run: |c, _| c.retry() },
    Entry {
        name: "save",
        argument: "",
        help: "this conversation as Markdown on standard output",
        run: |c, _| c.save(),
    },
    Entry {
        name: "search",
        argument: "WORDS",
        help: "search all conversations",
        run: Chat::search,
    },
    Entry { name: "title", argument: "TEXT", help: "name this conversation", run: Chat::title },
];

/// A command and the rest of its line. `None` when the line is something to say.
pub(super) fn parse(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('/')?;
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    // A path is something to say.
    name.chars().all(|c| c.is_ascii_lowercase()).then_some((name, argument.trim()))
}

fn help() -> Outcome<Next> {
    for entry in COMMANDS {
        let usage = format!("/{} {}", entry.name, entry.argument);
        eprintln!("{usage:<16}{}", entry.help);
    }
    Ok(Next::Go)
}

impl Chat {
    pub(super) fn obey(&mut self, (name, argument): (&str, &str)) -> Outcome<Next> {
        let entry = COMMANDS.iter().find(|e| e.name == name);
        let unknown = || Failure::input(format!("there is no /{name}")).hint("/help lists them");
        (entry.ok_or_else(unknown)?.run)(self, argument)
    }

    fn attach(&mut self, path: &str) -> Outcome<Next> {
        let bytes = crate::model::read(Path::new(path))?;
        let name = Path::new(path).file_name().map_or(path.into(), |n| n.to_string_lossy());
        let file = self.toolbox.knowledge().attach(&name, &bytes).map_err(unusable)?;
        self.attached.push(file);
        eprintln!("({name} goes with your next message)");
        Ok(Next::Go)
    }

    /// Shows the branch from its beginning.
    pub(super) fn show_branch(&self) -> Outcome {
        for message in self.branch()? {
            match message.role {
                Role::User => eprintln!("> {}", plain(&message.content)),
                Role::Assistant if !message.content.is_empty() => {
                    outln!("{}", plain(&message.content));
                    if message.state != MessageState::Complete {
                        eprintln!("({:?})", message.state);
                    }
                }
                Role::Assistant | Role::Tool => {}
            }
        }
        Ok(())
    }

    fn branch(&self) -> Outcome<Vec<Message>> {
        self.assistant.conversations().branch(self.conversation).map_err(unusable)
    }

    fn last(&self, role: Role) -> Outcome<Message> {
        let found = self.branch()?.into_iter().rev().find(|m| m.role == role);
        found.ok_or_else(|| Failure::input("there is no message yet"))
    }

    fn rate(&mut self, rating: Rating, tags: &str) -> Outcome<Next> {
        let feedback = Feedback::new(self.assistant.db());
        let answer = self.last(Role::Assistant)?.id;
        feedback.rate(answer, Some(rating)).map_err(unusable)?;
        let tags: Vec<String> =
            tags.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
        if !tags.is_empty() {
            feedback.tag(answer, &tags).map_err(unusable)?;
        }
        eprintln!("(kept)");
        Ok(Next::Go)
    }

    fn better(&mut self, text: &str) -> Outcome<Next> {
        let answer = self.last(Role::Assistant)?.id;
        Feedback::new(self.assistant.db()).improve(answer, Some(text)).map_err(unusable)?;
        eprintln!("(kept)");
        Ok(Next::Go)
    }

    fn delete(&mut self) -> Outcome<Next> {
        self.assistant.conversations().delete(self.conversation).map_err(unusable)?;
        self.renew()
    }

    fn edit(&mut self, text: &str) -> Outcome<Next> {
        let message = self.last(Role::User)?.id;
        self.assistant.edit(message, text).map(Next::Watch).map_err(unusable)
    }

    fn forget(&mut self, number: &str) -> Outcome<Next> {
        let id = parse_number(number)?;
        let fact = self.assistant.memory().get(id).map_err(unusable)?;
        self.assistant.memory().forget(id).map_err(unusable)?;
        eprintln!("(forgotten: {})", plain(&fact.text));
        Ok(Next::Go)
    }

    fn list(&mut self) -> Outcome<Next> {
        for c in self.assistant.conversations().list(20, 0).map_err(unusable)? {
            outln!("{:>6}  {}  {}", c.id.0, c.updated_at.date(), plain(&c.title));
        }
        Ok(Next::Go)
    }

    fn memory(&mut self, words: &str) -> Outcome<Next> {
        let memory = self.assistant.memory();
        let facts = match words {
            "" => memory.list(false, 50, 0).map_err(unusable)?,
            _ => {
                let hits = memory.search(words, false, 10).map_err(unusable)?;
                hits.into_iter().map(|hit| hit.fact).collect()
            }
        };
        for fact in facts {
            outln!("{:>6}  {}  {}", fact.id, fact.said_at.date(), plain(&fact.text));
        }
        Ok(Next::Go)
    }

    fn renew(&mut self) -> Outcome<Next> {
        self.conversation = begin(&self.assistant, false)?.id;
        eprintln!("(a new conversation)");
        Ok(Next::Go)
    }

    fn next_version(&mut self) -> Outcome<Next> {
        let conversations = self.assistant.conversations();
        let answer = self.last(Role::Assistant)?;
        let versions = conversations.siblings(answer.id).map_err(unusable)?;
        let at = versions.iter().position(|v| *v == answer.id).unwrap_or(0);
        let next = versions[(at + 1) % versions.len()];
        conversations.show(next).map_err(unusable)?;
        let shown = conversations.message(next).map_err(unusable)?;
        outln!("{}", plain(&shown.content));
        eprintln!("(version {} of {})", (at + 1) % versions.len() + 1, versions.len());
        Ok(Next::Go)
    }

    fn open(&mut self, number: &str) -> Outcome<Next> {
        let id = ConversationId(parse_number(number)?);
        self.assistant.conversations().get(id).map_err(unusable)?;
        self.conversation = id;
        self.show_branch()?;
        Ok(Next::Go)
    }

    fn retry(&mut self) -> Outcome<Next> {
        let message = self.last(Role::User)?.id;
        self.assistant.retry(message, None).map(Next::Watch).map_err(unusable)
    }

    fn save(&mut self) -> Outcome<Next> {
        let text = self.assistant.conversations().to_markdown(self.conversation);
        outln!("{}", plain(&text.map_err(unusable)?));
        Ok(Next::Go)
    }

    fn search(&mut self, words: &str) -> Outcome<Next> {
        for hit in self.assistant.conversations().search(words, 10).map_err(unusable)? {
            let text = hit.snippet.replace([Hit::OPEN, Hit::CLOSE], "*");
            outln!("{:>6}  {}  {}", hit.conversation.0, plain(&hit.title), plain(&text));
        }
        Ok(Next::Go)
    }

    fn title(&mut self, text: &str) -> Outcome<Next> {
        let conversations = self.assistant.conversations();
        conversations.rename(self.conversation, text, TitleOrigin::User).map_err(unusable)?;
        Ok(Next::Go)
    }
}

fn parse_number(text: &str) -> Outcome<i64> {
    text.parse().map_err(|_| Failure::input(format!("'{text}' is no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_and_paths_are_something_to_say() {
        assert!(COMMANDS.is_sorted_by_key(|c| c.name));
        assert_eq!(parse("/open 12 "), Some(("open", "12")));
        assert_eq!(parse("/etc/hosts is what?"), None);
        assert_eq!(parse("hello /new"), None);
    }
}
