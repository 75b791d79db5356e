//! The tool that lets the model look into the user's files.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Knowledge;
use crate::{CallContext, Effect, Tool, ToolError, ToolOutput, tools::NOTHING_FOUND};

/// Passages that one call returns.
const MAX_PASSAGES: usize = 5;

/// `search_knowledge`: passages with their places, numbered as an answer cites them.
pub fn knowledge_tool(knowledge: Knowledge) -> Arc<dyn Tool> {
    Arc::new(SearchKnowledge(knowledge))
}

struct SearchKnowledge(Knowledge);

impl Tool for SearchKnowledge {
    fn name(&self) -> &str {
        "search_knowledge"
    }

    fn definition(&self) -> Value {
        json!({"type": "function", "function": {
            "name": self.name(),
            "description": "Find passages in the user's files; cite them by number.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
            },
        }})
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Reads
    }

    fn call(&self, arguments: &Value, context: &CallContext) -> Result<ToolOutput, ToolError> {
        context.check()?;
        let query = arguments.get("query").and_then(Value::as_str);
        let query =
            query.ok_or_else(|| ToolError::BadArguments("query must be a string".into()))?;
        let found =
            self.0.search(query, MAX_PASSAGES).map_err(|e| ToolError::Failed(e.to_string()))?;
        if found.is_empty() {
            return Ok(ToolOutput::text(NOTHING_FOUND));
        }
        let numbered = found.iter().enumerate();
        let texts =
            numbered.map(|(i, p)| format!("[{}] {}\n{}", i + 1, p.citation(), p.text.trim()));
        let text = texts.collect::<Vec<_>>().join("\n\n");
        Ok(ToolOutput { data: json!({"passages": found}), ..ToolOutput::untrusted(text) })
    }
}
