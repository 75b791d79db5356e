//! `psi tokenize`: text to token ids, and back.

use std::io::Read;

use serde_json::json;

use crate::{
    cli::Tokenize,
    error::{Failure, Outcome},
    model::{Text, resolve},
    out::{out, outln},
    table::columns,
};

pub(crate) fn run(args: &Tokenize) -> Outcome {
    let text = Text::open(&resolve(&args.model)?)?;
    let input = if args.text == "-" { stdin()? } else { args.text.clone() };
    if args.decode { decode(args, &text, &input) } else { encode(args, &text, &input) }
}

fn stdin() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Failure::input("standard input cannot be read").because(e))?;
    Ok(text)
}

fn encode(args: &Tokenize, text: &Text, input: &str) -> Outcome {
    let ids = text.tokenizer.encode(input, !args.no_special, true);
    let piece = |id: u32| String::from_utf8_lossy(text.tokenizer.token_bytes(id)).into_owned();
    if args.json {
        let pieces: Vec<_> = ids.iter().map(|&id| piece(id)).collect();
        let document = json!({"ids": ids, "tokens": pieces, "count": ids.len()});
        outln!("{document:#}");
    } else {
        let rows: Vec<_> =
            ids.iter().map(|&id| vec![id.to_string(), format!("{:?}", piece(id))]).collect();
        out!("{}", columns(&rows));
        eprintln!("[{} tokens, {} bytes]", ids.len(), input.len());
    }
    Ok(())
}

fn decode(args: &Tokenize, text: &Text, input: &str) -> Outcome {
    // Ids as people and psi itself print them: between spaces, commas, brackets or line ends.
    let between = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']');
    let words = input.split(between).filter(|w| !w.is_empty());
    let n = text.tokenizer.vocab_size();
    let ids = words
        .map(|word| {
            let id = word.parse::<u32>().ok().filter(|&id| (id as usize) < n);
            id.ok_or_else(|| {
                Failure::input(format!("'{word}' is no token id (there are {n}, from 0)"))
            })
        })
        .collect::<Outcome<Vec<u32>>>()?;
    let decoded = text.tokenizer.decode(&ids, args.no_special);
    if args.json {
        let document = json!({"text": decoded, "ids": ids});
        outln!("{document:#}");
    } else {
        outln!("{decoded}");
    }
    Ok(())
}
