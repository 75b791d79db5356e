//! What a line that begins with `/` does.

use std::{collections::BTreeMap, path::Path};

use psi_agent::{
    ConversationId, Hit, Message, MessageState, Prompts, Role, SavedPrompt, TitleOrigin,
    assistant::Run,
    commands::COMMANDS,
    feedback::{Feedback, Rating},
    memory::{NewFact, Origin},
};

use super::{Chat, begin, screen::plain};
use crate::{
    error::{Failure, Outcome, unusable},
    out::outln,
};

/// What comes after a command.
pub(super) enum Next {
    /// The next line.
    Go,
    /// An answer is being written.
    Watch(Run),
    /// Nothing.
    Quit,
}

/// Does something with the rest of a command's line.
type Action = fn(&mut Chat, &str) -> Outcome<Next>;

/// What each command of [`COMMANDS`] does, in the same order.
const ACTIONS: &[(&str, Action)] = &[
    ("attach", Chat::attach),
    ("bad", |c, a| c.rate(Rating::Down, a)),
    ("better", Chat::better),
    ("delete", |c, _| c.delete()),
    ("edit", Chat::edit),
    ("forget", Chat::forget),
    ("good", |c, a| c.rate(Rating::Up, a)),
    ("help", |c, _| c.help()),
    ("list", |c, _| c.list()),
    ("memory", Chat::memory),
    ("new", |c, _| c.renew()),
    ("next", |c, _| c.next_version()),
    ("open", Chat::open),
    ("prompts", |c, _| c.prompts()),
    ("quit", |_, _| Ok(Next::Quit)),
    ("remember", Chat::remember),
    ("retry", |c, _| c.retry()),
    ("save", |c, _| c.save()),
    ("search", Chat::search),
    ("title", Chat::title),
];

impl Chat {
    pub(super) fn obey(&mut self, (name, argument): (&str, &str)) -> Outcome<Next> {
        if let Some((_, action)) = ACTIONS.iter().find(|(known, _)| *known == name) {
            return action(self, argument);
        }
        let prompt = self.library().named(name).map_err(unusable)?;
        let unknown = || Failure::input(format!("there is no /{name}")).hint("/help lists them");
        self.use_prompt(&prompt.ok_or_else(unknown)?, argument)
    }

    fn library(&self) -> Prompts {
        Prompts::new(self.assistant.db())
    }

    fn help(&self) -> Outcome<Next> {
        for command in COMMANDS {
            let usage = format!("/{} {}", command.name, command.argument);
            eprintln!("{usage:<18}{}", command.help);
        }
        for prompt in self.library().list().map_err(unusable)? {
            eprintln!("{:<18}your prompt: {}", format!("/{}", prompt.name), gist(&prompt.text));
        }
        Ok(Next::Go)
    }

    fn prompts(&self) -> Outcome<Next> {
        let all = self.library().list().map_err(unusable)?;
        if all.is_empty() {
            eprintln!("(none; they are made on the page, under Prompts)");
        }
        for prompt in all {
            outln!("/{}  {}", prompt.name, gist(&prompt.text));
        }
        Ok(Next::Go)
    }

    /// Says a saved prompt, with what the user types for its placeholders. The end of the input leaves it unsaid.
    fn use_prompt(&mut self, prompt: &SavedPrompt, rest: &str) -> Outcome<Next> {
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        let text = loop {
            match prompt.filled(rest, |name| given.get(name).cloned()) {
                Ok(text) => break text,
                Err(missing) => {
                    let Some(name) = missing.into_iter().next() else { return Ok(Next::Go) };
                    let Some(value) = self.read(&format!("{}: ", plain(&name)))? else {
                        eprintln!("(not said: {} was not given)", plain(&name));
                        return Ok(Next::Go);
                    };
                    given.insert(name, value.trim().to_owned());
                }
            }
        };
        eprintln!("> {}", plain(&text));
        self.say(&text).map(Next::Watch)
    }

    fn remember(&mut self, text: &str) -> Outcome<Next> {
        if text.is_empty() {
            return Err(Failure::input(
                "/remember says what: /remember my sister Ana lives in Lisbon",
            ));
        }
        let now = self.assistant.db().now();
        let fact = NewFact::new(text, Origin::User, now);
        match self.assistant.memory().keep(&fact).map_err(unusable)? {
            Some(fact) => eprintln!("(remembered: {})", plain(&fact.text)),
            None => eprintln!("(known already)"),
        }
        Ok(Next::Go)
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

/// The first line of a text, as a list shows it.
fn gist(text: &str) -> String {
    let line = plain(text.lines().next().unwrap_or(""));
    match line.char_indices().nth(70) {
        Some((at, _)) => format!("{}\u{2026}", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_list_does_something() {
        let listed: Vec<&str> = COMMANDS.iter().map(|c| c.name).collect();
        let done: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, done);
    }
}
