//! `psi chat`: the assistant in the terminal. Answers go to standard output, all else to standard error.

mod commands;
mod screen;

use std::{
    io::{BufRead, IsTerminal, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use psi_agent::{
    Assistant, Conversation, ConversationId, Db, Memory, NewConversation,
    agent::{AgentEvent, Approval, Decision, Ending, Scope},
    assistant::{Ask, OneModel, Run},
    commands as slash,
    memory::HashedNgrams,
    model::LocalModel,
    toolbox::Toolbox,
};
use psi_infer::chat::{ChatModel, OpenOptions};
use psi_store::Home;

use self::{commands::Next, screen::Screen};
use super::database;
use crate::{
    bundled, cli, cpu,
    error::{Failure, Outcome, unusable},
    toolbox,
};

pub(crate) fn run(args: &cli::Chat) -> Outcome {
    let home = database::home()?;
    let db = database::open()?;
    let (assistant, toolbox, name) = assistant(args, &home, &db)?;
    let conversation = match args.conversation {
        Some(id) => assistant.conversations().get(ConversationId(id)).map_err(unusable)?,
        None => begin(&assistant, args.temporary)?,
    };
    let stop = Stop::new()?;
    let mut chat = Chat {
        assistant,
        toolbox,
        conversation: conversation.id,
        attached: Vec::new(),
        screen: Screen::new(),
        stop,
    };
    eprintln!("psi: {name}; /help lists the commands, Ctrl-C stops an answer, /quit ends");
    if args.conversation.is_some() {
        chat.show_branch()?;
    }
    chat.talk()?;
    chat.assistant.shut_down();
    Ok(())
}

/// The assistant with its model, its tools, and the model's name.
fn assistant(args: &cli::Chat, home: &Home, db: &Db) -> Outcome<(Assistant, Toolbox, String)> {
    let settings = psi_agent::Settings::new(db);
    let chosen = settings.text("model.name").map_err(unusable)?;
    let chosen = Some(chosen).filter(|c| !c.is_empty() && c != bundled::NAME).map(PathBuf::from);
    let path = match args.model.clone().or(chosen) {
        Some(path) => crate::model::resolve(&path)?,
        None => bundled::unpack(home)?,
    };
    let model =
        ChatModel::open(&path, &cpu::cpu(args.threads)?, OpenOptions::default()).map_err(|e| {
            let failure = Failure::input(e.to_string());
            match e.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
    let name = model.name.clone();
    let source = Arc::new(LocalModel::new(Arc::new(model), None));
    let memory = Memory::new(db, Arc::new(HashedNgrams));
    let assistant = Assistant::new(db, memory, Box::new(OneModel(source))).map_err(unusable)?;
    let toolbox = toolbox::offer(&assistant, home)?;
    Ok((assistant, toolbox, name))
}

fn begin(assistant: &Assistant, temporary: bool) -> Outcome<Conversation> {
    let new = NewConversation { temporary, ..NewConversation::default() };
    assistant.conversations().create(&new).map_err(unusable)
}

/// A conversation at the terminal.
struct Chat {
    assistant: Assistant,
    toolbox: Toolbox,
    conversation: ConversationId,
    /// Files that go with the next message.
    attached: Vec<i64>,
    screen: Screen,
    stop: Stop,
}

impl Chat {
    /// Reads lines until there are no more.
    fn talk(&mut self) -> Outcome {
        while let Some(line) = self.read("> ")? {
            let line = line.trim();
            let run = match slash::parse(line) {
                _ if line.is_empty() => continue,
                Some(command) => match self.obey(command) {
                    Ok(Next::Quit) => return Ok(()),
                    Ok(Next::Watch(run)) => run,
                    Ok(Next::Go) => continue,
                    Err(failure) => {
                        eprintln!("psi: {failure}");
                        continue;
                    }
                },
                None => self.say(line)?,
            };
            self.watch(&run)?;
        }
        Ok(())
    }

    /// Says something, with the files that were attached.
    fn say(&mut self, text: &str) -> Outcome<Run> {
        let room = self.assistant.settings().number("context.attached").map_err(unusable)?;
        let files = std::mem::take(&mut self.attached).into_iter();
        let give = |file| self.toolbox.knowledge().give(file, self.conversation, text, room);
        let attachments = files.map(give).collect::<Result<_, _>>().map_err(unusable)?;
        let ask = Ask { text: text.to_owned(), attachments, ..Ask::default() };
        self.assistant.send(self.conversation, ask).map_err(unusable)
    }

    /// A line of standard input; `None` at its end. Ctrl-C here ends the program.
    fn read(&mut self, prompt: &str) -> Outcome<Option<String>> {
        let input = std::io::stdin();
        if input.is_terminal() {
            eprint!("{prompt}");
            // Without a prompt the line is read all the same.
            let _ = std::io::stderr().flush();
        }
        let mut line = String::new();
        self.stop.ends_program.store(true, Ordering::Relaxed);
        let read = input.lock().read_line(&mut line);
        self.stop.ends_program.store(false, Ordering::Relaxed);
        self.stop.asked.store(false, Ordering::Relaxed);
        let n = read.map_err(|e| Failure::failed("standard input cannot be read").because(e))?;
        Ok((n > 0).then_some(line))
    }

    /// Shows what happens until the run is over.
    fn watch(&mut self, run: &Run) -> Outcome {
        let (sender, events) = mpsc::channel();
        run.subscribe(0, Box::new(move |_, event| sender.send(event.clone()).is_ok()));
        loop {
            if self.stop.asked.swap(false, Ordering::Relaxed) {
                run.cancel();
            }
            let event = match events.recv_timeout(Duration::from_millis(50)) {
                Ok(event) => event,
                Err(mpsc::RecvTimeoutError::Timeout) => continue,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if let AgentEvent::AwaitApproval { approvals, .. } = &event {
                for approval in approvals {
                    let decision = self.decide(approval)?;
                    // The run may have been stopped meanwhile: then nothing waits any more.
                    let _ = run.decide(&approval.call.id, decision);
                }
                continue;
            }
            self.screen.show(&event);
            match event {
                AgentEvent::Finished { ending } => {
                    self.screen.end(ending_text(&ending));
                    return Ok(());
                }
                AgentEvent::Failed { error, hint } => {
                    self.screen.end(None);
                    eprintln!("psi: {error}");
                    if let Some(hint) = hint {
                        eprintln!("hint: {hint}");
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Asks about a call. The end of the input means no.
    fn decide(&mut self, approval: &Approval) -> Outcome<Decision> {
        self.screen.ask(approval);
        loop {
            let choice = self.read("[y] once  [c] this chat  [a] always  [e] edit  [n] no: ")?;
            let scope = match choice.as_deref().map(str::trim) {
                None | Some("n" | "no") => return Ok(Decision::Deny { reason: None }),
                Some("y" | "yes") => Scope::Once,
                Some("c") => Scope::Chat,
                Some("a") => Scope::Always,
                Some("e") => match self.edited()? {
                    Some(arguments) => {
                        let arguments = Some(arguments);
                        return Ok(Decision::Approve { scope: Scope::Once, arguments });
                    }
                    None => continue,
                },
                Some(_) => continue,
            };
            return Ok(Decision::Approve { scope, arguments: None });
        }
    }

    /// Arguments as the user types them.
    fn edited(&mut self) -> Outcome<Option<serde_json::Value>> {
        let Some(line) = self.read("arguments as JSON, to run once: ")? else { return Ok(None) };
        match serde_json::from_str(&line) {
            Ok(serde_json::Value::Object(map)) => Ok(Some(serde_json::Value::Object(map))),
            Ok(_) => {
                eprintln!("psi: the arguments must be a JSON object");
                Ok(None)
            }
            Err(error) => {
                eprintln!("psi: {error}");
                Ok(None)
            }
        }
    }
}

/// What a user should know about how an answer ended.
fn ending_text(ending: &Ending) -> Option<&'static str> {
    match ending {
        Ending::Answered | Ending::TooLong { .. } | Ending::Failed { .. } => None,
        Ending::StepLimit => Some("the steps were used up; it answered without more tools"),
        Ending::TokenLimit => Some("cut off: the tokens were used up (answer.max_tokens)"),
        Ending::Cancelled => Some("stopped"),
    }
}

/// What Ctrl-C does: at the prompt it ends the program, else it stops the answer.
struct Stop {
    asked: Arc<AtomicBool>,
    ends_program: Arc<AtomicBool>,
}

impl Stop {
    fn new() -> Outcome<Self> {
        let (asked, ends_program) = (Arc::default(), Arc::<AtomicBool>::default());
        let signal = signal_hook::consts::SIGINT;
        // In this order: the first handler must not see what the second has done.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&ends_program))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)))
            .map_err(|e| Failure::failed("Ctrl-C cannot be caught").because(e))?;
        Ok(Self { asked, ends_program })
    }
}
