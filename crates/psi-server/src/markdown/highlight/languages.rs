//! The languages that are coloured.

/// How a language is read.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Code(&'static Language),
    Markup,
    Diff,
}

/// How its comments look.
#[derive(Clone, Copy)]
pub(super) enum Comment {
    /// `//` and `/* */`.
    Slashes,
    /// `#`.
    Hash,
    /// `--` and `/* */`.
    Dashes,
    /// `;`.
    Semicolon,
    /// `%`.
    Percent,
    /// `/* */`.
    Stars,
}

/// A language made of words, strings and comments.
pub(super) struct Language {
    /// What a code fence may call it.
    names: &'static str,
    pub(super) comment: Comment,
    /// Characters that open and close strings.
    pub(super) quotes: &'static str,
    pub(super) keywords: &'static str,
    /// Keywords in any case; capitals mean nothing.
    pub(super) any_case: bool,
    /// Strings in three quotes.
    pub(super) triple: bool,
    /// Strings that go on over a line's end.
    pub(super) long_strings: bool,
    /// `'a` without a second quote.
    pub(super) lifetimes: bool,
    /// `$name`.
    pub(super) variables: bool,
    /// `name:` and `name =` are keys.
    pub(super) keys: bool,
}

const PLAIN: Language = Language {
    names: "",
    comment: Comment::Slashes,
    quotes: "\"'",
    keywords: "",
    any_case: false,
    triple: false,
    long_strings: false,
    lifetimes: false,
    variables: false,
    keys: false,
};

/// Finds a language by the name that a code fence gives it.
pub(super) fn find(name: &str) -> Option<Style> {
    match name {
        "" => None,
        "html" | "xml" | "svg" | "vue" | "xhtml" | "mathml" => Some(Style::Markup),
        "diff" | "patch" => Some(Style::Diff),
        _ => LANGUAGES.iter().find(|l| l.names.split(' ').any(|n| n == name)).map(Style::Code),
    }
}

const LANGUAGES: &[Language] = &[
    Language {
        names: "rust rs",
        lifetimes: true,
        long_strings: true,
        keywords: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop \
                   match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
        ..PLAIN
    },
    Language {
        names: "python py python3 starlark bazel",
        comment: Comment::Hash,
        triple: true,
        keywords: "and as assert async await break case class continue def del elif else except False finally for from \
                   global if import in is lambda match None nonlocal not or pass raise return self True try while with yield",
        ..PLAIN
    },
    Language {
        names: "javascript js jsx typescript ts tsx mjs",
        quotes: "\"'`",
        keywords: "abstract any as async await boolean break case catch class const continue debugger default delete do \
                   else enum export extends false finally for from function if implements import in instanceof interface \
                   let new null number of private protected public readonly return static string super switch this throw \
                   true try type typeof undefined var void while yield",
        ..PLAIN
    },
    Language {
        names: "c h cpp c++ cc hpp cuda objc arduino",
        keywords: "alignas auto bool break case catch char class const constexpr continue default delete do double else \
                   enum explicit extern false final float for friend goto if include inline int long namespace new \
                   noexcept nullptr operator override private protected public register return short signed sizeof static \
                   struct switch template this throw true try typedef typename union unsigned using virtual void volatile while",
        ..PLAIN
    },
    Language {
        names: "java kotlin kt csharp c# cs scala swift dart groovy",
        triple: true,
        keywords: "abstract as async await base bool boolean break byte case catch char class companion const continue \
                   data def default do double else enum extends extension false final finally float for foreach fun func \
                   get guard if implements import in init instanceof int interface internal is lateinit let long match \
                   namespace native new nil null object open operator out override package private protected public \
                   readonly record ref return sealed self set short static string struct super switch this throw throws \
                   trait true try type typealias using val var virtual void when where while with yield",
        ..PLAIN
    },
    Language {
        names: "go golang",
        quotes: "\"'`",
        keywords: "break case chan const continue default defer else fallthrough false for func go goto if import \
                   interface map nil package range return select struct switch true type var",
        ..PLAIN
    },
    Language {
        names: "bash sh shell zsh console fish dockerfile makefile make",
        comment: Comment::Hash,
        quotes: "\"'",
        variables: true,
        long_strings: true,
        keywords: "alias break case cd continue do done echo elif else esac exec exit export fi for function if in local \
                   read return set shift source then trap unset until while FROM RUN COPY ADD ENV WORKDIR CMD ENTRYPOINT \
                   EXPOSE ARG USER VOLUME",
        ..PLAIN
    },
    Language {
        names: "powershell ps1 php perl pl",
        comment: Comment::Hash,
        variables: true,
        keywords: "and as break case catch class continue do echo else elseif extends false finally for foreach function \
                   global if implements in my namespace new null or our param print private protected public return static \
                   sub switch throw true try use while",
        ..PLAIN
    },
    Language {
        names: "ruby rb elixir ex",
        comment: Comment::Hash,
        keywords: "alias and begin break case class def defmodule do else elsif end ensure false fn for if in module next \
                   nil not or raise redo require rescue retry return self super then true undef unless until when while yield",
        ..PLAIN
    },
    Language {
        names: "sql sqlite postgresql mysql psql",
        comment: Comment::Dashes,
        any_case: true,
        long_strings: true,
        keywords: "add all alter and as asc begin between by case check column commit constraint create cross database \
                   default delete desc distinct drop else end exists foreign from full group having if in index inner \
                   insert integer into is join key left like limit not null offset on or order outer primary real \
                   references returning right rollback select set table text then transaction trigger union unique update \
                   using values view virtual when where with",
        ..PLAIN
    },
    Language {
        names: "json json5 jsonc jsonl",
        quotes: "\"",
        keys: true,
        keywords: "true false null",
        ..PLAIN
    },
    Language {
        names: "toml yaml yml ini conf cfg properties env",
        comment: Comment::Hash,
        triple: true,
        keys: true,
        keywords: "true false null yes no on off",
        ..PLAIN
    },
    Language {
        names: "css scss less",
        comment: Comment::Stars,
        keys: true,
        keywords: "important media supports keyframes import layer container",
        ..PLAIN
    },
    Language {
        names: "lua haskell hs elm ada vhdl",
        comment: Comment::Dashes,
        keywords: "and break case class data deriving do else elseif end false for forall function goto if import in \
                   infix instance let local module newtype nil not of or repeat return then true type until where while",
        ..PLAIN
    },
    Language {
        names: "lisp scheme clojure clj elisp racket asm nasm",
        comment: Comment::Semicolon,
        quotes: "\"",
        keywords: "and cond def define defmacro defn defun do else fn if lambda let loop nil not or progn quote recur \
                   setq true false",
        ..PLAIN
    },
    Language {
        names: "latex tex matlab octave erlang prolog",
        comment: Comment::Percent,
        quotes: "",
        keywords: "begin end usepackage documentclass section subsection item frac sum function if else elseif for while \
                   return case when of",
        ..PLAIN
    },
    Language {
        names: "r julia jl nim nix cmake terraform hcl graphql",
        comment: Comment::Hash,
        triple: true,
        long_strings: true,
        keywords: "abstract begin break do else elseif end false for function if import in inherit let local macro module \
                   mutable next NULL TRUE FALSE NA quote rec repeat return struct then true try type using where while with \
                   query mutation resource variable output proc var",
        ..PLAIN
    },
    Language {
        names: "zig v odin wgsl glsl hlsl proto protobuf solidity",
        keywords: "and break const continue contract else enum error export extern false fn for function if import in \
                   inline let message mut null or orelse pub public return rpc service struct switch test true try type \
                   undefined union uniform unsafe var void while",
        ..PLAIN
    },
];
