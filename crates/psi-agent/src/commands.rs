//! What may be typed after `/`, on the page and in the terminal: one list of names, arguments and help.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is typed after the slash.
    pub name: &'static str,
    /// What may follow it: empty for nothing, in brackets where it may be left out.
    pub argument: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Whether the page knows it too; the terminal knows all.
    pub on_page: bool,
}

/// Every command, sorted by name.
pub const COMMANDS: &[Command] = &[
    terminal("attach", "PATH", "give a file with the next message"),
    terminal("bad", "[TAGS]", "thumb down for the last answer"),
    terminal("better", "TEXT", "what would have been a better last answer"),
    terminal("delete", "", "delete this conversation and begin a new one"),
    terminal("edit", "TEXT", "say this instead of your last message"),
    terminal("forget", "N", "forget a fact"),
    terminal("good", "[TAGS]", "thumb up for the last answer"),
    both("help", "", "list the commands and your prompts"),
    terminal("list", "", "the latest conversations"),
    both("memory", "[WORDS]", "what is remembered"),
    both("new", "", "begin a new conversation"),
    terminal("next", "", "show the next version of the last answer"),
    terminal("open", "N", "go on with a conversation"),
    both("prompts", "", "your saved prompts"),
    terminal("quit", "", "end"),
    both("remember", "TEXT", "remember a fact"),
    both("retry", "", "answer once more"),
    terminal("save", "", "this conversation as Markdown on standard output"),
    both("search", "WORDS", "search all conversations"),
    both("title", "TEXT", "name this conversation"),
];

const fn terminal(name: &'static str, argument: &'static str, help: &'static str) -> Command {
    Command { name, argument, help, on_page: false }
}

const fn both(name: &'static str, argument: &'static str, help: &'static str) -> Command {
    Command { name, argument, help, on_page: true }
}

/// The command of a name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|c| c.name == name)
}

/// A command or a prompt and the rest of its line. `None` when the line is something to say: a path, a fraction,
/// a slash by itself.
pub fn parse(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim().strip_prefix('/')?;
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    is_name(name).then_some((name, argument.trim()))
}

/// Whether a command or a prompt could be called so: lower-case letters of any script, digits and single hyphens,
/// beginning with a letter.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |c: char| c == '-' || c.is_numeric() || (c.is_alphabetic() && !c.is_uppercase());
    name.starts_with(char::is_alphabetic)
        && name.chars().all(fits)
        && !name.ends_with('-')
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_named_once_and_can_be_typed() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        assert!(COMMANDS.iter().all(|c| is_name(c.name)));
    }

    #[test]
    fn paths_and_fractions_are_something_to_say() {
        assert_eq!(parse("/open 12 "), Some(("open", "12")));
        assert_eq!(parse(" /weekly-plan\nMonday"), Some(("weekly-plan", "Monday")));
        assert_eq!(parse("/übersetze das"), Some(("übersetze", "das")));
        for text in
            ["/etc/hosts is what?", "hello /new", "/", "/ 2", "/3 of it", "/New", "/a-", "/a--b"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
