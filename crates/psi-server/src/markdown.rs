//! Text that others wrote, as markup that may stand in a page: Markdown, highlighted code, tables, mathematics.
//!
//! Everything that a model, a tool, a file or a person wrote goes through [`render`] or [`blocks`], and the last
//! thing that happens to it there is sanitising. A template takes nothing else unescaped: [`SafeHtml`] is made here only.

mod highlight;
mod links;
mod math;
mod sanitize;

use maud::{Markup, PreEscaped, Render};
use pulldown_cmark::{
    Alignment, CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd,
    html,
};

/// Nesting of quotes and lists beyond which a text is shown as it was typed.
const MAX_DEPTH: usize = 40;

/// Markup that has been sanitised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafeHtml(String);

impl Render for SafeHtml {
    fn render(&self) -> Markup {
        PreEscaped(self.0.clone())
    }
}

/// A text block by block: paragraphs, lists, tables, code. While an answer grows only its last block changes,
/// so a page replaces that one and leaves the others alone.
pub(crate) fn blocks(text: &str) -> Vec<SafeHtml> {
    match raw_blocks(&math::dollars(text)) {
        Some(raw) => raw.iter().map(|block| SafeHtml(sanitize::clean(block))).collect(),
        None => vec![SafeHtml(sanitize::clean(&format!("<p>{}</p>", escape(text))))],
    }
}

/// Unsanitised markup of each block; `None` for a text that is nested beyond reason.
fn raw_blocks(text: &str) -> Option<Vec<String>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut blocks = Vec::new();
    let mut writer = Writer::default();
    let mut depth = 0;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
        writer.take(event);
        if depth == 0 {
            blocks.push(writer.finish());
        }
    }
    Some(blocks)
}

/// Turns the parser's events into those that psi shows.
#[derive(Default)]
struct Writer<'a> {
    events: Vec<Event<'a>>,
    /// The language and text of the code block being read.
    code: Option<(String, String)>,
    /// Links and images being read; a bare address inside one stays text.
    n_links: usize,
    table: Table,
}

/// Where in a table the writer is. Its cells are written here, since alignment by `style` would be taken away.
#[derive(Default)]
struct Table {
    columns: Vec<Alignment>,
    column: usize,
    head: bool,
}

impl Table {
    fn open_cell(&self) -> String {
        let element = if self.head { "th" } else { "td" };
        match self.columns.get(self.column) {
            Some(Alignment::Right) => format!("<{element} class=\"right\">"),
            Some(Alignment::Center) => format!("<{element} class=\"center\">"),
            _ => format!("<{element}>"),
        }
    }
}

impl<'a> Writer<'a> {
    fn finish(&mut self) -> String {
        let mut out = String::new();
        html::push_html(&mut out, self.events.drain(..));
        out
    }

    fn take(&mut self, event: Event<'a>) {
        if let Some((_, text)) = &mut self.code {
            match event {
                Event::End(TagEnd::CodeBlock) => self.end_code(),
                Event::Text(more) => text.push_str(&more),
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.n_links == 0 => self.linked(&text),
            Event::InlineMath(source) => self.html(math::render(&source, false)),
            Event::DisplayMath(source) => self.html(math::render(&source, true)),
            Event::InlineHtml(tag) if is_break(&tag) => self.events.push(Event::HardBreak),
            // Markup that was typed is shown, not obeyed.
            Event::Html(text) | Event::InlineHtml(text) => self.events.push(Event::Text(text)),
            Event::TaskListMarker(done) => {
                self.events.push(Event::Text(if done { "\u{2611} " } else { "\u{2610} " }.into()));
            }
            Event::FootnoteReference(_) => {}
            event => self.events.push(event),
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        let tag = match tag {
            Tag::CodeBlock(kind) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        info.split([' ', ',', '{']).next().unwrap_or("").to_lowercase()
                    }
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
                return;
            }
            // Nothing is loaded because a text names it: an image is a link to it.
            Tag::Image { dest_url, .. } => {
                self.n_links += 1;
                let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
                self.events.push(Event::Start(Tag::Link {
                    link_type: LinkType::Inline,
                    dest_url,
                    title,
                    id,
                }));
                self.events.push(Event::Text("image: ".into()));
                return;
            }
            Tag::Link { .. } => {
                self.n_links += 1;
                tag
            }
            Tag::HtmlBlock => Tag::Paragraph,
            Tag::Heading { level, .. } => {
                Tag::Heading { level: lowered(level), id: None, classes: vec![], attrs: vec![] }
            }
            // The kinds of quote are decoration that the sanitiser takes away.
            Tag::BlockQuote(_) => Tag::BlockQuote(None),
            Tag::Table(columns) => {
                self.table.columns = columns;
                return self.html("<div class=\"table\" tabindex=\"0\"><table>".to_owned());
            }
            Tag::TableHead | Tag::TableRow => {
                self.table.head = tag == Tag::TableHead;
                self.table.column = 0;
                let open = if self.table.head { "<thead><tr>" } else { "<tr>" };
                return self.html(open.to_owned());
            }
            Tag::TableCell => return self.html(self.table.open_cell()),
            tag => tag,
        };
        self.events.push(Event::Start(tag));
    }

    fn end(&mut self, tag: TagEnd) {
        let tag = match tag {
            TagEnd::Link | TagEnd::Image => {
                self.n_links = self.n_links.saturating_sub(1);
                TagEnd::Link
            }
            TagEnd::HtmlBlock => TagEnd::Paragraph,
            TagEnd::Heading(level) => TagEnd::Heading(lowered(level)),
            TagEnd::BlockQuote(_) => TagEnd::BlockQuote(None),
            TagEnd::Table => return self.html("</tbody></table></div>\n".to_owned()),
            TagEnd::TableHead => return self.html("</tr></thead><tbody>".to_owned()),
            TagEnd::TableRow => return self.html("</tr>".to_owned()),
            TagEnd::TableCell => {
                self.table.column += 1;
                let close = if self.table.head { "</th>" } else { "</td>" };
                return self.html(close.to_owned());
            }
            tag => tag,
        };
        self.events.push(Event::End(tag));
    }

    fn end_code(&mut self) {
        let Some((language, text)) = self.code.take() else { return };
        let name: String = language
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "+#-_.".contains(*c))
            .collect();
        let code = highlight::highlight(&language, text.strip_suffix('\n').unwrap_or(&text));
        self.html(format!("<pre tabindex=\"0\" data-lang=\"{name}\"><code>{code}</code></pre>\n"));
    }

    fn linked(&mut self, text: &str) {
        for piece in links::split(text) {
            match piece {
                links::Piece::Text(text) => {
                    self.events.push(Event::Text(text.to_owned().into()));
                }
                links::Piece::Address(address) => {
                    let href = escape(address);
                    self.html(format!("<a href=\"{href}\">{href}</a>"));
                }
            }
        }
    }

    fn html(&mut self, markup: String) {
        self.events.push(Event::Html(markup.into()));
    }
}

/// The page's own headings are levels 1 and 2.
fn lowered(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// A line break that a table cell cannot say in another way.
fn is_break(tag: &str) -> bool {
    matches!(tag, "<br>" | "<br/>" | "<br />")
}

/// Text as it stands between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
