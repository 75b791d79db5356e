//! Tool calls as grammars: the model's own syntax around the schemas of its tools.

use psi_tokenizer::{TokenId, Tokenizer};
use serde_json::{Value, json};

use super::{ChatError, ToolSyntax, messages::Tool};
use crate::grammar::{Grammar, Grammars};

/// What a grammar of calls is made from.
pub(super) struct CallGrammar<'a> {
    pub(super) grammars: &'a Grammars,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) syntax: &'a ToolSyntax,
    pub(super) tools: &'a [Tool],
    pub(super) parallel: bool,
}

/// Nine letters and digits.
const ID: &str = "/[a-zA-Z0-9]{9}/";

impl CallGrammar<'_> {
    /// The token before a call, if it is a single one.
    pub(super) fn mark(&self) -> Option<TokenId> {
        let id = self.tokenizer.id_of(self.syntax.mark()?)?;
        self.tokenizer.added_tokens().iter().any(|t| t.id == id).then_some(id)
    }

    /// Lark for calls alone, marks and all.
    pub(super) fn calls(&self) -> Result<String, ChatError> {
        Ok(format!("start: calls\n{}", self.rules()?))
    }

    /// Lark for one call after its mark.
    pub(super) fn after_mark(&self) -> Result<String, ChatError> {
        Ok(format!("start: body\n{}", self.rules()?))
    }

    /// Lark for calls, or an answer: any text that does not begin like a call, or text by a schema.
    pub(super) fn calls_or(&self, answer: Option<&str>) -> Result<String, ChatError> {
        let answer = match answer {
            Some(schema) => format!("answer: %json {schema}\n"),
            None => "answer: /([^{ \\t\\r\\n](?s:.)*)?/\n".to_owned(),
        };
        Ok(format!("start: calls | answer\n{answer}{}", self.rules()?))
    }

    /// The rules `calls` (one or several, with their marks) and `body` (one after its mark).
    fn rules(&self) -> Result<String, ChatError> {
        let mut rules = match self.syntax {
            ToolSyntax::Tagged { open, close } => {
                let (open, close) = (self.tag(open), self.tag(close));
                let calls = self.several("call", "( \"\\n\" )?");
                format!(
                    "calls: {calls}\ncall: {open} body\nbody: ( \"\\n\" )? object ( \"\\n\" )? {close}\n"
                )
            }
            ToolSyntax::Llama3 | ToolSyntax::Json => {
                let calls = self.several("body", "\"; \"");
                format!("calls: {calls}\nbody: object\n")
            }
            ToolSyntax::Mistral if self.has_arguments_mark() => {
                let (open, calls) = (self.tag("[TOOL_CALLS]"), self.several("call", ""));
                format!("calls: {calls}\ncall: {open} body\nbody: object\n")
            }
            ToolSyntax::Mistral => {
                let (open, list) = (self.tag("[TOOL_CALLS]"), self.several("object", "\", \""));
                format!("calls: {open} body\nbody: \"[\" {list} \"]\"\n")
            }
        };
        let names: Vec<String> = (0..self.tools.len()).map(|i| format!("tool{i}")).collect();
        rules.push_str(&format!("object: {}\n", names.join(" | ")));
        for (i, tool) in self.tools.iter().enumerate() {
            let call = self.call(i, &tool.name);
            let schema = self.schema(i, tool)?;
            rules.push_str(&format!("tool{i}: {call}\nargs{i}: %json {schema}\n"));
        }
        Ok(rules)
    }

    /// The rule once, or again and again.
    fn several(&self, rule: &str, between: &str) -> String {
        match self.parallel {
            true => format!("{rule} ( {between} {rule} )*"),
            false => rule.to_owned(),
        }
    }

    /// One call of tool `i`, as the chat templates write it.
    fn call(&self, i: usize, name: &str) -> String {
        let key = match self.syntax {
            ToolSyntax::Llama3 => "parameters",
            _ => "arguments",
        };
        if *self.syntax == ToolSyntax::Mistral && self.has_arguments_mark() {
            let (id, args) = (self.tag("[CALL_ID]"), self.tag("[ARGS]"));
            return format!("{} ( {id} {ID} )? {args} args{i}", literal(name));
        }
        let head = literal(&format!("{{\"name\": {}, \"{key}\": ", json!(name)));
        let id = match self.syntax {
            ToolSyntax::Mistral => {
                format!("( {} {ID} {} )?", literal(", \"id\": \""), literal("\""))
            }
            _ => String::new(),
        };
        format!("{head} args{i} {id} \"}}\"")
    }

    fn has_arguments_mark(&self) -> bool {
        self.tokenizer.id_of("[ARGS]").is_some()
    }

    /// The schema of tool `i`'s arguments. Only strict tools are promised to be held to theirs.
    fn schema(&self, i: usize, tool: &Tool) -> Result<String, ChatError> {
        let any = json!({"type": "object"});
        let mut schema = tool.parameters.clone().unwrap_or_else(|| any.clone());
        if let Value::Object(object) = &mut schema
            && !object.contains_key("type")
        {
            object.insert("type".to_owned(), json!("object"));
        }
        let grammar = Grammar::JsonSchema(schema.clone());
        let field = || format!("tools[{i}].function.parameters");
        let checked = self.grammars.compile(&grammar);
        let schema = match checked {
            Ok(_) => schema,
            Err(error) if tool.is_strict => {
                return Err(ChatError::Grammar { field: field(), error });
            }
            Err(_) => any,
        };
        let text = self.grammars.schema_text(&schema);
        text.map_err(|error| ChatError::Grammar { field: field(), error })
    }

    /// A tag as one token where it is one, else as text.
    fn tag(&self, text: &str) -> String {
        let added = self.tokenizer.added_tokens().iter().find(|t| t.content == text);
        match added {
            Some(token) => format!("<[{}]>", token.id),
            None => literal(text),
        }
    }
}

/// A text in Lark.
fn literal(text: &str) -> String {
    json!(text).to_string()
}
