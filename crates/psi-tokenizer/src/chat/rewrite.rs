//! The syntax tree between parser and code generator: Python's operators and methods instead of
//! minijinja's, raw text as charged output, and no statement that reaches outside the template.
//!
//! The replacements are calls of function *values*, so a template cannot shadow them, and they keep
//! minijinja from folding constants such as `"a" * 100000000` while it compiles.

use std::sync::Arc;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, Spanned, Stmt};
use minijinja::machinery::{Span, Token, tokenize};
use minijinja::{Error, ErrorKind, Value};

use super::budget::Budget;
use super::renderer::syntax;
use super::{TemplateError, TemplateErrorKind, methods, operators};

/// The longest template. The longest known has 17,000 bytes.
const MAX_SOURCE: usize = 1 << 20;
/// Most tokens in one tag, which bounds the depth of an expression. The most known is 58.
const MAX_TAG_TOKENS: usize = 1000;
/// Most `elif`s between an `if` and its `endif`; each nests one deeper.
const MAX_ELIFS: usize = 200;

/// The filter that a `generation` block goes through; no template can name it otherwise, as it has a
/// name of psi's own.
pub(super) const GENERATION: &str = "psi_generation";

/// Checks the size of a template and replaces the `generation` tag, which marks the assistant's text
/// for training and renders as its content in a scope of its own.
pub(super) fn prepare(source: &str) -> Result<String, TemplateError> {
    let limit =
        |message: String| TemplateError { kind: TemplateErrorKind::Limit, message, line: None };
    if source.len() > MAX_SOURCE {
        return Err(limit(format!("{} bytes exceed the limit of {MAX_SOURCE}", source.len())));
    }
    // Python's Jinja drops one line break at the end, and reads "\r\n" as "\n".
    let source = with_generation_as_filter(&source.replace("\r\n", "\n").replace('\r', "\n"));
    let (mut in_tag, mut elifs) = (0, 0);
    let config = syntax().map_err(|e| TemplateError::from_engine(&e))?;
    for token in tokenize(&source, false, config) {
        let (token, span) = token.map_err(|e| TemplateError::from_engine(&e))?;
        in_tag += 1;
        match token {
            Token::BlockStart | Token::VariableStart => in_tag = 0,
            Token::Ident("elif") => elifs += 1,
            Token::Ident("if" | "endif") => elifs = 0,
            _ => {}
        }
        if in_tag > MAX_TAG_TOKENS || elifs > MAX_ELIFS {
            return Err(limit(format!("the tag at line {} is too long", span.start_line)));
        }
    }
    Ok(source)
}

fn with_generation_as_filter(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let sign = usize::from(tag[2..].starts_with(['-', '+']));
        let body = tag[2 + sign..].trim_start();
        let name_at = tag.len() - body.len();
        let known = [
            ("endgeneration", "endwith %}{% endfilter".to_owned()),
            ("generation", format!("filter {GENERATION} %}}{{% with")),
        ];
        let hit = known.into_iter().find(|(name, _)| {
            let after = body.strip_prefix(name).map(str::trim_start);
            after.is_some_and(|a| ["%}", "-%}", "+%}"].iter().any(|end| a.starts_with(end)))
        });
        match hit {
            Some((name, replacement)) => {
                out.push_str(&tag[..name_at]);
                out.push_str(&replacement);
                rest = &tag[name_at + name.len()..];
            }
            None => {
                out.push_str("{%");
                rest = &tag[2..];
            }
        }
    }
    out + rest
}

/// Rewrites a whole template.
pub(super) fn template<'a>(tree: &Stmt<'a>, budget: &Arc<Budget>) -> Result<Stmt<'a>, Error> {
    Rewriter::new(budget).stmt(tree)
}

struct Rewriter {
    concat: Value,
    add: Value,
    multiply: Value,
    remainder: Value,
    slice: Value,
    method: Value,
    attribute: Value,
}

fn constant<'a>(value: Value, span: Span) -> Expr<'a> {
    Expr::Const(Spanned::new(ast::Const { value }, span))
}

fn call<'a>(function: &Value, args: impl IntoIterator<Item = CallArg<'a>>, span: Span) -> Expr<'a> {
    let expr = constant(function.clone(), span);
    Expr::Call(Spanned::new(ast::Call { expr, args: args.into_iter().collect() }, span))
}

impl Rewriter {
    fn new(budget: &Arc<Budget>) -> Self {
        Self {
            concat: operators::concat(budget),
            add: operators::add(budget),
            multiply: operators::multiply(budget),
            remainder: operators::remainder(budget),
            slice: operators::slice(budget),
            method: methods::method(budget),
            attribute: methods::attribute(),
        }
    }

    fn body<'a>(&self, body: &[Stmt<'a>]) -> Result<Vec<Stmt<'a>>, Error> {
        body.iter().map(|s| self.stmt(s)).collect()
    }

    fn stmt<'a>(&self, stmt: &Stmt<'a>) -> Result<Stmt<'a>, Error> {
        Ok(match stmt {
            Stmt::Template(s) => Stmt::Template(Spanned::new(
                ast::Template { children: self.body(&s.children)? },
                s.span(),
            )),
            Stmt::EmitExpr(s) => {
                Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr: self.expr(&s.expr)? }, s.span()))
            }
            Stmt::EmitRaw(s) => {
                let expr = constant(Value::from(s.raw), s.span());
                Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, s.span()))
            }
            Stmt::ForLoop(s) => self.for_loop(s)?,
            Stmt::IfCond(s) => {
                let node = ast::IfCond {
                    expr: self.expr(&s.expr)?,
                    true_body: self.body(&s.true_body)?,
                    false_body: self.body(&s.false_body)?,
                };
                Stmt::IfCond(Spanned::new(node, s.span()))
            }
            Stmt::WithBlock(s) => {
                let pair = |(t, e): &(Expr<'a>, Expr<'a>)| Ok((self.target(t)?, self.expr(e)?));
                let assignments = s.assignments.iter().map(pair).collect::<Result<_, Error>>()?;
                let node = ast::WithBlock { assignments, body: self.body(&s.body)? };
                Stmt::WithBlock(Spanned::new(node, s.span()))
            }
            Stmt::Set(s) => {
                let node = ast::Set { target: self.target(&s.target)?, expr: self.expr(&s.expr)? };
                Stmt::Set(Spanned::new(node, s.span()))
            }
            Stmt::SetBlock(s) => {
                let node = ast::SetBlock {
                    target: self.target(&s.target)?,
                    filter: self.optional(s.filter.as_ref())?,
                    body: self.body(&s.body)?,
                };
                Stmt::SetBlock(Spanned::new(node, s.span()))
            }
            Stmt::FilterBlock(s) => {
                let node =
                    ast::FilterBlock { filter: self.expr(&s.filter)?, body: self.body(&s.body)? };
                Stmt::FilterBlock(Spanned::new(node, s.span()))
            }
            Stmt::Block(s) => {
                let node =
                    ast::Block { name: s.name, required: s.required, body: self.body(&s.body)? };
                Stmt::Block(Spanned::new(node, s.span()))
            }
            Stmt::Macro(s) => Stmt::Macro(self.macro_(s)?),
            Stmt::CallBlock(s) => {
                let target =
                    ast::Call { expr: self.expr(&s.call.expr)?, args: self.args(&s.call.args)? };
                let node = ast::CallBlock {
                    call: Spanned::new(target, s.call.span()),
                    macro_decl: self.macro_(&s.macro_decl)?,
                };
                Stmt::CallBlock(Spanned::new(node, s.span()))
            }
            Stmt::Continue(s) => Stmt::Continue(Spanned::new(ast::Continue, s.span())),
            Stmt::Break(s) => Stmt::Break(Spanned::new(ast::Break, s.span())),
            Stmt::AutoEscape(_) => return Err(refused("autoescape")),
            Stmt::Import(_) | Stmt::FromImport(_) => return Err(refused("import")),
            Stmt::Extends(_) => return Err(refused("extends")),
            Stmt::Include(_) => return Err(refused("include")),
            Stmt::Do(_) => return Err(refused("do")),
        })
    }

    fn for_loop<'a>(&self, s: &Spanned<ast::ForLoop<'a>>) -> Result<Stmt<'a>, Error> {
        let node = ast::ForLoop {
            target: self.target(&s.target)?,
            iter: self.expr(&s.iter)?,
            filter_expr: self.optional(s.filter_expr.as_ref())?,
            recursive: s.recursive,
            body: self.body(&s.body)?,
            else_body: self.body(&s.else_body)?,
        };
        Ok(Stmt::ForLoop(Spanned::new(node, s.span())))
    }

    fn macro_<'a>(&self, s: &Spanned<ast::Macro<'a>>) -> Result<Spanned<ast::Macro<'a>>, Error> {
        let targets = s.args.iter().map(|a| self.target(a));
        let node = ast::Macro {
            name: s.name,
            args: targets.collect::<Result<_, _>>()?,
            defaults: self.exprs(&s.defaults)?,
            body: self.body(&s.body)?,
        };
        Ok(Spanned::new(node, s.span()))
    }

    fn exprs<'a>(&self, list: &[Expr<'a>]) -> Result<Vec<Expr<'a>>, Error> {
        list.iter().map(|e| self.expr(e)).collect()
    }

    fn optional<'a>(&self, expr: Option<&Expr<'a>>) -> Result<Option<Expr<'a>>, Error> {
        expr.map(|e| self.expr(e)).transpose()
    }

    fn args<'a>(&self, args: &[CallArg<'a>]) -> Result<Vec<CallArg<'a>>, Error> {
        args.iter()
            .map(|arg| {
                Ok(match arg {
                    CallArg::Pos(e) => CallArg::Pos(self.expr(e)?),
                    CallArg::Kwarg(name, e) => CallArg::Kwarg(name, self.expr(e)?),
                    CallArg::PosSplat(e) => CallArg::PosSplat(self.expr(e)?),
                    CallArg::KwargSplat(e) => CallArg::KwargSplat(self.expr(e)?),
                })
            })
            .collect()
    }

    /// What is assigned to: names, tuples of names, attributes of namespaces.
    fn target<'a>(&self, expr: &Expr<'a>) -> Result<Expr<'a>, Error> {
        let list = |items: &[Expr<'a>]| -> Result<Vec<Expr<'a>>, Error> {
            items.iter().map(|e| self.target(e)).collect()
        };
        Ok(match expr {
            Expr::List(e) => {
                Expr::List(Spanned::new(ast::List { items: list(&e.items)? }, e.span()))
            }
            Expr::Tuple(e) => {
                Expr::Tuple(Spanned::new(ast::Tuple { items: list(&e.items)? }, e.span()))
            }
            Expr::GetAttr(e) => {
                let node = ast::GetAttr { expr: self.expr(&e.expr)?, name: e.name };
                Expr::GetAttr(Spanned::new(node, e.span()))
            }
            other => self.expr(other)?,
        })
    }

    #[expect(clippy::too_many_lines, reason = "one arm per kind of expression")]
    fn expr<'a>(&self, expr: &Expr<'a>) -> Result<Expr<'a>, Error> {
        let span = expr.span();
        Ok(match expr {
            Expr::Var(e) => Expr::Var(Spanned::new(ast::Var { id: e.id }, span)),
            Expr::Const(e) => constant(e.value.clone(), span),
            Expr::Slice(e) => {
                let part = |p: &Option<Expr<'a>>| match p {
                    Some(p) => self.expr(p),
                    None => Ok(constant(Value::from(()), span)),
                };
                let args = [self.expr(&e.expr)?, part(&e.start)?, part(&e.stop)?, part(&e.step)?];
                call(&self.slice, args.map(CallArg::Pos), span)
            }
            Expr::UnaryOp(e) => {
                #[expect(clippy::needless_match, reason = "the kind is neither Copy nor Clone")]
                let op = match e.op {
                    ast::UnaryOpKind::Not => ast::UnaryOpKind::Not,
                    ast::UnaryOpKind::Neg => ast::UnaryOpKind::Neg,
                };
                Expr::UnaryOp(Spanned::new(ast::UnaryOp { op, expr: self.expr(&e.expr)? }, span))
            }
            Expr::BinOp(e) => self.bin_op(e)?,
            Expr::Compare(e) => {
                let op = |o: &ast::CompareOp<'a>| {
                    Ok(ast::CompareOp { op: o.op, expr: self.expr(&o.expr)? })
                };
                let ops = e.ops.iter().map(op).collect::<Result<_, Error>>()?;
                Expr::Compare(Spanned::new(ast::Compare { expr: self.expr(&e.expr)?, ops }, span))
            }
            Expr::IfExpr(e) => {
                let node = ast::IfExpr {
                    test_expr: self.expr(&e.test_expr)?,
                    true_expr: self.expr(&e.true_expr)?,
                    false_expr: self.optional(e.false_expr.as_ref())?,
                };
                Expr::IfExpr(Spanned::new(node, span))
            }
            Expr::Filter(e) => {
                let node = ast::Filter {
                    name: e.name,
                    expr: self.optional(e.expr.as_ref())?,
                    args: self.args(&e.args)?,
                };
                Expr::Filter(Spanned::new(node, span))
            }
            Expr::Test(e) => {
                let node = ast::Test {
                    name: e.name,
                    expr: self.expr(&e.expr)?,
                    args: self.args(&e.args)?,
                };
                Expr::Test(Spanned::new(node, span))
            }
            Expr::GetAttr(e) if methods::is_dict_method(e.name) => {
                let args = [self.expr(&e.expr)?, constant(Value::from(e.name), span)];
                call(&self.attribute, args.map(CallArg::Pos), span)
            }
            Expr::GetAttr(e) => {
                let node = ast::GetAttr { expr: self.expr(&e.expr)?, name: e.name };
                Expr::GetAttr(Spanned::new(node, span))
            }
            Expr::GetItem(e) => {
                let node = ast::GetItem {
                    expr: self.expr(&e.expr)?,
                    subscript_expr: self.expr(&e.subscript_expr)?,
                };
                Expr::GetItem(Spanned::new(node, span))
            }
            Expr::Call(e) => self.call(e)?,
            Expr::List(e) => {
                Expr::List(Spanned::new(ast::List { items: self.exprs(&e.items)? }, span))
            }
            Expr::Tuple(e) => {
                Expr::Tuple(Spanned::new(ast::Tuple { items: self.exprs(&e.items)? }, span))
            }
            Expr::Map(e) => {
                let node = ast::Map { keys: self.exprs(&e.keys)?, values: self.exprs(&e.values)? };
                Expr::Map(Spanned::new(node, span))
            }
        })
    }

    fn bin_op<'a>(&self, e: &Spanned<ast::BinOp<'a>>) -> Result<Expr<'a>, Error> {
        let (left, right) = (self.expr(&e.left)?, self.expr(&e.right)?);
        let function = match e.op {
            BinOpKind::Concat => &self.concat,
            BinOpKind::Add => &self.add,
            BinOpKind::Mul => &self.multiply,
            BinOpKind::Rem => &self.remainder,
            op => return Ok(Expr::BinOp(Spanned::new(ast::BinOp { op, left, right }, e.span()))),
        };
        Ok(call(function, [left, right].map(CallArg::Pos), e.span()))
    }

    /// `object.name(...)` becomes `method(object, "name", ...)`.
    fn call<'a>(&self, e: &Spanned<ast::Call<'a>>) -> Result<Expr<'a>, Error> {
        let args = self.args(&e.args)?;
        match &e.expr {
            Expr::GetAttr(target) if !matches!(&target.expr, Expr::Var(v) if v.id == "self") => {
                let name = constant(Value::from(target.name), e.span());
                let object = [self.expr(&target.expr)?, name].map(CallArg::Pos);
                Ok(call(&self.method, object.into_iter().chain(args), e.span()))
            }
            // Not a rewritten attribute: a method object called later stays a call.
            other => {
                let node = ast::Call { expr: self.expr(other)?, args };
                Ok(Expr::Call(Spanned::new(node, e.span())))
            }
        }
    }
}

fn refused(statement: &str) -> Error {
    let reason = format!("chat templates may not use `{statement}`");
    Error::new(ErrorKind::SyntaxError, reason)
}
