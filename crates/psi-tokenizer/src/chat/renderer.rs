//! A chat template made ready once and rendered many times, as training on conversations needs it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::{self, CodeGenerator};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use serde_json::Map;

use super::budget::{Budget, TemplateLimits};
use super::{ChatTemplate, NOW, Raised, TemplateError, TemplateErrorKind};
use super::{filters, operators, python, rewrite, time};

const TEMPLATE_NAME: &str = "chat_template";
/// What stands in front of and behind a `generation` block while it is being looked for: characters
/// that Unicode keeps out of texts.
const MARKS: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// A [`ChatTemplate`] with fixed further variables, compiled.
pub struct Renderer<'t> {
    template: &'t ChatTemplate,
    compiled: machinery::CompiledTemplate<'t>,
    environment: Environment<'static>,
    /// The same with `generation` blocks marked.
    marking: Environment<'static>,
    extra: Vec<(String, Value)>,
    budget: Arc<Budget>,
}

impl fmt::Debug for Renderer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").field("template", self.template).finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles the template. `extra` are variables besides the conversation (`enable_thinking`,
    /// [`NOW`]).
    ///
    /// # Errors
    /// [`NOW`] that is not a time.
    pub fn renderer(
        &self,
        extra: &Map<String, serde_json::Value>,
    ) -> Result<Renderer<'_>, TemplateError> {
        self.make_renderer(extra).map_err(|e| TemplateError::from_engine(&e))
    }

    fn make_renderer(&self, extra: &Map<String, serde_json::Value>) -> Result<Renderer<'_>, Error> {
        let budget = Arc::new(Budget::new(&self.limits));
        let now = extra.get(NOW).and_then(serde_json::Value::as_str);
        let fields = extra.iter().filter(|(key, _)| *key != NOW);
        Ok(Renderer {
            template: self,
            compiled: self.compile(&budget)?,
            environment: environment(&self.limits, now, false, &budget)?,
            marking: environment(&self.limits, now, true, &budget)?,
            extra: fields.map(|(key, v)| (key.clone(), python::from_json(v))).collect(),
            budget,
        })
    }

    pub(super) fn compile<'s>(
        &'s self,
        budget: &Arc<Budget>,
    ) -> Result<machinery::CompiledTemplate<'s>, Error> {
        let syntax = syntax()?;
        let tree = machinery::parse(&self.source, TEMPLATE_NAME, syntax.clone())?;
        let tree = rewrite::template(&tree, budget)?;
        let mut generator = CodeGenerator::new(TEMPLATE_NAME, &self.source);
        generator.compile_stmt(&tree);
        let (instructions, blocks) = generator.finish();
        Ok(machinery::CompiledTemplate {
            instructions,
            blocks,
            buffer_size_hint: 0,
            syntax_config: syntax,
            initial_auto_escape: AutoEscape::None,
        })
    }
}

impl Renderer<'_> {
    /// Whether the template says itself, with `generation` blocks, what the assistant wrote.
    pub fn marks_generation(&self) -> bool {
        self.template.source.contains(rewrite::GENERATION)
    }

    /// The prompt of a conversation; see [`ChatTemplate::render`].
    ///
    /// # Errors
    /// The template refuses the conversation, fails on it, or runs out of its limits.
    pub fn render(
        &self,
        messages: &serde_json::Value,
        tools: Option<&serde_json::Value>,
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        self.run(&self.environment, messages, tools, add_generation_prompt)
    }

    /// The conversation and the byte ranges of it that lie in `generation` blocks, in order.
    ///
    /// # Errors
    /// As for [`render`](Self::render); and a conversation with the characters that serve as marks.
    pub fn render_marked(
        &self,
        messages: &serde_json::Value,
        tools: Option<&serde_json::Value>,
    ) -> Result<(String, Vec<Range<usize>>), TemplateError> {
        let marked = self.run(&self.marking, messages, tools, false)?;
        let (mut text, mut spans) = (String::with_capacity(marked.len()), Vec::new());
        let mut open = None;
        let mut paired = true;
        for c in marked.chars() {
            match (open, MARKS.iter().position(|&m| m == c)) {
                (_, None) => text.push(c),
                (None, Some(0)) => open = Some(text.len()),
                (Some(start), Some(1)) => {
                    spans.push(start..text.len());
                    open = None;
                }
                _ => paired = false,
            }
        }
        if !paired || open.is_some() {
            let message = "generation blocks within each other, or U+FDD0 in a message".to_owned();
            return Err(TemplateError { kind: TemplateErrorKind::Runtime, message, line: None });
        }
        Ok((text, spans))
    }

    fn run(
        &self,
        environment: &Environment<'_>,
        messages: &serde_json::Value,
        tools: Option<&serde_json::Value>,
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let ChatTemplate { bos, eos, limits, .. } = self.template;
        self.budget.refill(limits);
        let mut variables = vec![
            ("messages".to_owned(), python::from_json(messages)),
            ("tools".to_owned(), tools.map_or(Value::from(()), python::from_json)),
            ("documents".to_owned(), Value::from(())),
            ("add_generation_prompt".to_owned(), Value::from(add_generation_prompt)),
            ("bos_token".to_owned(), Value::from(bos.as_str())),
            ("eos_token".to_owned(), Value::from(eos.as_str())),
        ];
        variables.extend_from_slice(&self.extra);
        let mut text = String::new();
        let mut output = machinery::make_string_output(&mut text);
        machinery::eval(
            environment,
            &self.compiled.instructions,
            Value::from_pairs(variables),
            &self.compiled.blocks,
            &mut output,
            AutoEscape::None,
        )
        .map_err(|e| TemplateError::from_engine(&e))?;
        Ok(text)
    }
}

/// `transformers` renders with `trim_blocks` and `lstrip_blocks`.
pub(super) fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
}

fn environment(
    limits: &TemplateLimits,
    now: Option<&str>,
    marks: bool,
    budget: &Arc<Budget>,
) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(limits.fuel));
    environment.set_recursion_limit(limits.depth);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let output_budget = budget.clone();
    environment.set_formatter(move |out, _state, value| {
        let text = python::to_text(value)?;
        output_budget.charge(text.len())?;
        out.write_str(&text).map_err(Error::from)
    });
    filters::register(&mut environment, budget);
    environment.add_filter(rewrite::GENERATION, move |body: String| match marks {
        true => format!("{}{body}{}", MARKS[0], MARKS[1]),
        false => body,
    });
    environment.add_global("range", operators::range());
    environment.add_function("namespace", minijinja::functions::namespace);
    environment.add_function("dict", minijinja::functions::dict);
    environment.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        let message = python::to_text(message)?;
        Err(Error::new(ErrorKind::InvalidOperation, "raised by the template")
            .with_source(Raised(message.into_owned())))
    });
    let now = now.map(time::DateTime::parse).transpose()?;
    environment.add_function("strftime_now", move |format: String| match &now {
        Some(now) => now.format(&format),
        None => {
            Err(Error::new(ErrorKind::InvalidOperation, "the caller did not say what time it is"))
        }
    });
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TAGGED: &str = "\
{% for m in messages %}
    {%- if m.role == 'assistant' %}
A:
        {%- generation -%}
        {% set said = m.content %}
  {{ said }}.
        {% endgeneration %}
    {%- else %}
U:{{ m.content }}{{ said }}
    {%- endif %}
{% endfor %}";

    #[test]
    fn generation_blocks_are_found_and_render_as_if_they_were_not_there() {
        let template = ChatTemplate::new(TAGGED, "", "").unwrap();
        let renderer = template.renderer(&Map::new()).unwrap();
        assert!(renderer.marks_generation());
        let message = |role: &str, text: &str| json!({"role": role, "content": text});
        let messages = json!([
            message("user", "one"),
            message("assistant", "two"),
            message("user", "three"),
            message("assistant", "four"),
        ]);
        let plain = renderer.render(&messages, None, false).unwrap();
        let (text, spans) = renderer.render_marked(&messages, None).unwrap();
        assert_eq!(plain, "U:oneA:  two.\nU:threeA:  four.\n");
        assert_eq!(text, plain);
        let found: Vec<&str> = spans.into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["  two.\n", "  four.\n"]);
    }

    #[test]
    fn a_conversation_with_the_marks_in_it_is_refused() {
        let template = ChatTemplate::new(TAGGED, "", "").unwrap();
        let renderer = template.renderer(&Map::new()).unwrap();
        let messages = json!([{"role": "user", "content": "x\u{fdd0}"}]);
        assert!(renderer.render_marked(&messages, None).is_err());
        assert!(renderer.render(&messages, None, false).is_ok());
    }

    #[test]
    fn one_conversation_leaves_the_next_its_whole_budget() {
        let limits = TemplateLimits { bytes: 100, ..TemplateLimits::default() };
        let template = ChatTemplate::new("{{ messages[0] }}", "", "").unwrap().with_limits(limits);
        let renderer = template.renderer(&Map::new()).unwrap();
        for _ in 0..10 {
            assert!(renderer.render(&json!(["x".repeat(40)]), None, false).is_ok());
        }
        assert!(renderer.render(&json!(["x".repeat(400)]), None, false).is_err());
    }
}
