//! Which files of a repository psi needs: the weights once, the configuration, the tokenizer.

use std::path::Path;

use psi_store::gguf::shard_of;

use super::listing::{RemoteFile, is_usable};
use crate::{
    error::{Failure, Outcome},
    table::bytes,
};

/// The files to fetch, and what the user should know about the choice.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) files: Vec<RemoteFile>,
    pub(super) notes: Vec<String>,
}

/// What psi takes from the top of a repository besides weights.
const COMPANIONS: [&str; 11] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
];

/// Weights as Python pickles, which psi does not load.
const PICKLES: [&str; 6] = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

/// Chooses from a repository's files: those that match a pattern of `include`, or, without patterns, the
/// safetensors with their companions, or one GGUF file.
pub(super) fn choose(files: Vec<RemoteFile>, include: &[String]) -> Outcome<Choice> {
    if include.is_empty() { by_need(&files) } else { by_pattern(files, include) }
}

fn by_pattern(files: Vec<RemoteFile>, include: &[String]) -> Outcome<Choice> {
    let names: Vec<String> = files.iter().map(|f| f.path.clone()).collect();
    for pattern in include {
        if !names.iter().any(|name| matches(pattern, name)) {
            let hint = format!("the repository holds {}", list(&names));
            return Err(Failure::input(format!("--include '{pattern}': no such file")).hint(hint));
        }
    }
    let wanted = |f: &RemoteFile| include.iter().any(|pattern| matches(pattern, &f.path));
    let files: Vec<_> = files.into_iter().filter(wanted).collect();
    match files.iter().find(|f| !is_usable(&f.path)) {
        Some(odd) => {
            Err(Failure::input(format!("{:?}: psi stores no files of such names", odd.path)).hint(
                "names are of letters, digits, '.', '_' and '-', and begin with none of these dots",
            ))
        }
        None => Ok(Choice { files, notes: Vec::new() }),
    }
}

/// Whether `name` is matched by `pattern`, in which `*` stands for any text and `?` for one character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The last `*` and where its text ends so far: on a mismatch it takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match (pattern.get(p), star) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(&c), _) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            (_, Some((at, end))) => {
                star = Some((at, end + 1));
                (p, n) = (at + 1, end + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

fn by_need(files: &[RemoteFile]) -> Outcome<Choice> {
    let top = |f: &&RemoteFile| is_usable(&f.path) && !f.path.contains('/');
    let tensors: Vec<_> =
        files.iter().filter(top).filter(|f| f.path.ends_with(".safetensors")).collect();
    if tensors.is_empty() {
        return gguf(files);
    }
    let mut choice = Choice::default();
    // Some repositories hold the same weights once more under another name (consolidated, fp16, ...).
    let standard = tensors.iter().any(|f| is_standard(&f.path));
    let mut left = 0;
    for f in files.iter().filter(top) {
        let weights = f.path.ends_with(".safetensors");
        if weights && standard && !is_standard(&f.path) {
            left += 1;
        } else if weights
            || f.path.ends_with(".safetensors.index.json")
            || COMPANIONS.contains(&f.path.as_str())
        {
            choice.files.push(f.clone());
        }
    }
    if left > 0 {
        choice.notes.push(format!(
            "left out {left} safetensors {} besides the model's own",
            if left == 1 { "file" } else { "files" }
        ));
    }
    let pickles = files.iter().filter(|f| is_pickle(&f.path)).count();
    if pickles > 0 {
        choice.notes.push(format!("left out {pickles} pickled (.bin, .pt): psi loads safetensors"));
    }
    Ok(choice)
}

/// `model.safetensors` or `model-00001-of-00002.safetensors`.
fn is_standard(path: &str) -> bool {
    let Some(stem) = path.strip_suffix(".safetensors") else { return false };
    stem == "model" || {
        let as_gguf = format!("{stem}.gguf");
        shard_of(Path::new(&as_gguf)).is_some_and(|(prefix, ..)| prefix == Path::new("model"))
    }
}

fn is_pickle(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    PICKLES.iter().any(|end| lower.ends_with(end)) && !lower.ends_with("training_args.bin")
}

/// One model as GGUF: a file, or the files it was split into.
struct GgufModel<'a> {
    name: String,
    files: Vec<&'a RemoteFile>,
}

impl GgufModel<'_> {
    fn described(&self) -> String {
        let sum = |sum: u64, f: &&RemoteFile| Some(sum.saturating_add(f.size?));
        match self.files.iter().try_fold(0, sum) {
            Some(size) => format!("{} ({})", self.name, bytes(size)),
            None => self.name.clone(),
        }
    }
}

/// The only GGUF model, or the one in Q4_K_M.
fn gguf(files: &[RemoteFile]) -> Outcome<Choice> {
    let mut models: Vec<GgufModel<'_>> = Vec::new();
    for f in files.iter().filter(|f| f.path.ends_with(".gguf") && is_usable(&f.path)) {
        // The part of a vision model that looks at images.
        if f.path.rsplit('/').next().is_some_and(|n| n.starts_with("mmproj")) {
            continue;
        }
        let prefix = shard_of(Path::new(&f.path)).and_then(|(p, ..)| p.to_str().map(str::to_owned));
        let name = prefix.unwrap_or_else(|| f.path.clone());
        match models.iter_mut().find(|m| m.name == name) {
            Some(model) => model.files.push(f),
            None => models.push(GgufModel { name, files: vec![f] }),
        }
    }
    let known: Vec<String> = models.iter().map(GgufModel::described).collect();
    let preferred = |m: &&GgufModel<'_>| m.name.to_ascii_lowercase().contains("q4_k_m");
    let q4_k_m: Vec<&GgufModel<'_>> = models.iter().filter(preferred).collect();
    let chosen = match (models.as_slice(), q4_k_m.as_slice()) {
        ([], _) => return Err(nothing(files)),
        ([only], _) => only,
        (_, [only]) => *only,
        _ => {
            return Err(Failure::input(format!("which of these files? {}", list(&known)))
                .hint("name one: --include FILE, or a pattern such as --include '*Q8_0.gguf'"));
        }
    };
    let mut choice =
        Choice { files: chosen.files.iter().map(|&f| f.clone()).collect(), notes: Vec::new() };
    if models.len() > 1 {
        choice.notes.push(format!("the repository holds {}", list(&known)));
        choice.notes.push(format!("taking {}; --include takes another", chosen.name));
    }
    Ok(choice)
}

/// The error of a repository without weights that psi loads.
fn nothing(files: &[RemoteFile]) -> Failure {
    if files.iter().any(|f| is_pickle(&f.path)) {
        Failure::input("the repository holds only pickled weights, which psi does not load")
            .hint("look for a repository with safetensors or GGUF files of the same model")
    } else {
        let names: Vec<String> = files.iter().map(|f| f.path.clone()).collect();
        Failure::input(format!(
            "the repository holds no weights (safetensors or GGUF): {}",
            list(&names)
        ))
        .hint("--include takes files by name")
    }
}

/// The first dozen of `names` for a message, whatever characters they contain.
fn list(names: &[String]) -> String {
    const MOST: usize = 12;
    let shown: Vec<String> =
        names.iter().take(MOST).map(|n| n.chars().flat_map(char::escape_debug).collect()).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        n if n > MOST => format!("{} and {} more", shown.join(", "), n - MOST),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<RemoteFile> {
        let file = |n: &&str| RemoteFile { path: (*n).to_owned(), size: Some(1), checksum: None };
        names.iter().map(file).collect()
    }

    fn chosen(names: &[&str], include: &[&str]) -> Result<Vec<String>, String> {
        let include: Vec<String> = include.iter().map(|&s| s.to_owned()).collect();
        choose(files(names), &include)
            .map(|c| c.files.into_iter().map(|f| f.path).collect())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_model_folder_is_its_weights_configuration_and_tokenizer() {
        let names = [
            ".gitattributes",
            "README.md",
            "config.json",
            "consolidated.safetensors",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.fp16.safetensors",
            "model.safetensors.index.json",
            "onnx/model.safetensors",
            "pytorch_model.bin",
            "tokenizer.json",
            "tokenizer_config.json",
            "evil name.safetensors",
        ];
        let choice = choose(files(&names), &[]).unwrap();
        let got: Vec<&str> = choice.files.iter().map(|f| f.path.as_str()).collect();
        let want = [
            "config.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ];
        assert_eq!(got, want);
        assert_eq!(choice.notes.len(), 2, "{:?}", choice.notes);
        let adapter = ["adapter_model.safetensors", "README.md"];
        assert_eq!(chosen(&adapter, &[]).unwrap(), ["adapter_model.safetensors"]);
    }

    #[test]
    fn of_several_gguf_files_the_q4_k_m_is_taken() {
        let names = ["m-Q8_0.gguf", "m-Q4_K_M.gguf", "mmproj-m-Q4_K_M.gguf", "config.json"];
        assert_eq!(chosen(&names, &[]).unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(chosen(&["only.gguf"], &[]).unwrap(), ["only.gguf"]);
        let split = ["q/m-q4_k_m-00001-of-00002.gguf", "q/m-q4_k_m-00002-of-00002.gguf", "b.gguf"];
        assert_eq!(chosen(&split, &[]).unwrap(), split[..2]);
        let unclear = chosen(&["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"], &[]).unwrap_err();
        assert!(unclear.contains("a-Q4_K_M.gguf") && unclear.contains("--include"), "{unclear}");
        assert!(chosen(&["a-Q8_0.gguf", "a-Q6_K.gguf"], &[]).is_err());
    }

    #[test]
    fn repositories_without_usable_weights_say_what_they_hold() {
        let pickled = chosen(&["config.json", "pytorch_model.bin"], &[]).unwrap_err();
        assert!(pickled.contains("pickled"), "{pickled}");
        let none = chosen(&["README.md", "\u{1b}[31m"], &[]).unwrap_err();
        assert!(none.contains("README.md") && !none.contains('\u{1b}'), "{none}");
        assert!(chosen(&[], &[]).unwrap_err().contains("nothing"));
    }

    #[test]
    fn patterns_choose_and_a_pattern_without_a_file_is_an_error() {
        let names = ["a-Q8_0.gguf", "a-Q4_0.gguf", "sub/b.gguf", "README.md", "a b.gguf"];
        assert_eq!(chosen(&names, &["*Q8_0*"]).unwrap(), ["a-Q8_0.gguf"]);
        assert_eq!(
            chosen(&names, &["sub/?.gguf", "README.md"]).unwrap(),
            ["sub/b.gguf", "README.md"]
        );
        let none = chosen(&names, &["*Q8_0*", "*.safetensors"]).unwrap_err();
        assert!(none.contains("*.safetensors") && none.contains("a-Q4_0.gguf"), "{none}");
        assert!(chosen(&names, &["a b.gguf"]).unwrap_err().contains("such names"));
    }

    #[test]
    fn stars_take_any_text_and_question_marks_one_character() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("*a*b*", "xaxbx", true),
            ("*ab", "aab", true),
            ("?", "a", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("**", "x/y", true),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
