"""Small tokenizers of every kind, with ids and texts as the Python packages give them.

Writes crates/psi-tokenizer/tests/golden: tokenizer files trained on tinyshakespeare and on the sentences
below, hard strings (seeded), and what `tokenizers` and `sentencepiece` make of them. With --many N it
writes N strings and their expectations for every tokenizer to the folder given by --out instead, for a
larger comparison than the repository keeps.

Versions used: tokenizers 0.23.3, sentencepiece 0.2.3, transformers 5.23.0.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import random
import struct
import tempfile
import unicodedata

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "crates/psi-tokenizer/tests/golden"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

SENTENCES = """Größe und Höhe, naïve café, œuvre, Ærøskøbing, İstanbul'da, Żółw.
Съешь же ещё этих мягких французских булок. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.
日本語の文章、カタカナとひらがな。中文句子，標點。한국어 문장입니다.
العربية جميلة ١٢٣ שלום עולם हिन्दी नमस्ते ไทยภาษา.
Prices: $12.50, 1,234,567 or 3½; e-mail: someone@example.org (see http://example.org/a?b=c&d=e#f).
I'll say she'd've done it; don't you? WE'RE HERE, IT'S fine.
def f(x):\n    return x ** 2  # square\n\tif x == 0: pass\r\n
emoji 😀 👩‍👩‍👧‍👦 🇫🇷 ✈️ and symbols ∑∫≠ → ☃ ½ ² Ⅷ.
"""


def shared():
    for folder in ROOT.parents:
        if (folder / "shared/data").is_dir():
            return folder / "shared/data"
    raise SystemExit("no shared/data folder beside the checkout")


def corpus():
    text = (shared() / "corpus/tinyshakespeare/input.txt").read_bytes().decode()
    return [text[:150_000]] + SENTENCES.splitlines(keepends=True) * 3


def hard_strings(n, seed=7):
    """Fixed nasty strings, then random ones from alphabets that sit on rule boundaries."""
    fixed = [
        "", " ", "  ", "\n", "\r\n", "\t", "a", " a", "a ", "  a  b   c    ", "Hello, world!", "\u0000", "a\u0000b",
        "\ufeffBOM", "\u00a0nbsp\u00a0", "\u3000\u3000全角", "\u200b\u200d\u200c", "e\u0301e\u0301", "\u0301", "ﬁ ﬂ ﬀ",
        "１２３ＡＢＣ", "ß ẞ ſ K Å", "'s 'S 'ſ 'll 'LL 'lL", "don't DON'T don’t", "1234567890", "1 23 456 7890", "٣٤٥ ½² Ⅷ",
        "😀😃", "👩‍👩‍👧‍👦", "🇫🇷🇩🇪", "\U0010ffff\U000e0001", "\x1b[31mred\x1b[0m", "\x7f\x80\x9f", "a" * 100,
        "ab" * 60, " " * 50, "\n" * 20, "\n \n \n", "a\n\nb\r\n\r\nc", "\t\tindent\t", "x=1;y=2", "(([[{{}}]]))",
        "!?!?...", "—–-‐", "«quoted» “text” ‘here’", "http://a.b/c?d=e&f=g#h", "a_b_c __init__", "CamelCaseWord HTTPServer",
        "<s>", "</s>", "<unk>", "[CLS] x [SEP]", "<|endoftext|>", "a<|endoftext|>b", "  <|endoftext|>  x", "▁", "▁a", " ▁ a▁b",
        "Ġthe Ċ", "<0x0A>", "नमस्ते दुनिया", "สวัสดี", "שָׁלוֹם", "الْعَرَبِيَّة", "한국어 조선말", "日本語テスト", "中文，測試。", "\u1100\u1161\u11a8", "\u212b \u03a9 \u2126",
        "Ǆ ǅ ǆ", "ÀÉÎõü àéîÕÜ", "i̇ İ ı", "ΑΣΣΑΣ ας", "a\u0300\u0301\u0302\u0303b", "\ud7a3", "word" * 40, "tok1 tok2 tok3", "foo bar", "foobar foo",
    ]
    rng = random.Random(seed)
    alphabets = [
        "abcdefghij klmnop  ", "ABCabc'’stdmlrve ", "0123456789 ,.½²٣", " \t\n\r\u00a0\u3000a.", "éèêàçœßñ ÀÉÎ", "日本語中文字 かなカナ。、",
        "привет мир ПРИВЕТ", "😀🎉👍🏽\u200d♀️ ", "\u0301\u0302\u0308aeiou", "!@#$%^&*()_+-=[]{}|;:,.<>/? ", "▁Ġ<>0xA|s/ ",
        "".join(chr(c) for c in range(0, 128)), "אבג دهو हिं ", "".join(chr(c) for c in range(0x2000, 0x2070)),
    ]
    strings = list(fixed)
    while len(strings) < n:
        kind = rng.random()
        if kind < 0.15:
            # Assigned since Unicode 3.2: newer characters depend on the tables of each library.
            codes = (rng.randrange(0x30000) for _ in range(rng.randrange(1, 30)))
            chars = [chr(c) for c in codes if unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs")]
        elif kind < 0.5:
            alphabet = rng.choice(alphabets)
            chars = [rng.choice(alphabet) for _ in range(rng.randrange(1, 40))]
        else:
            chars = [rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(1, 40))]
        strings.append("".join(chars))
    return strings[:n] if n > len(fixed) else strings


def train(model, trainer, pre=None, norm=None, dec=None, post=None):
    t = Tokenizer(model)
    if pre is not None:
        t.pre_tokenizer = pre
    if norm is not None:
        t.normalizer = norm
    if dec is not None:
        t.decoder = dec
    t.train_from_iterator(corpus(), trainer)
    if post is not None:
        t.post_processor = post(t)
    return t


def bpe_trainer(size=400, **more):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **more)


def byte_level(pre, size=400, special=("<|endoftext|>",), **parts):
    trainer = bpe_trainer(size, special_tokens=list(special), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    return train(models.BPE(), trainer, pre=pre, dec=parts.pop("dec", decoders.ByteLevel()), **parts)


def split_then_bytes(*splits):
    return pre_tokenizers.Sequence([*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def with_byte_fallback(t, unk="<unk>", **more):
    """The same BPE with tokens for bytes put before its own."""
    data = json.loads(t.to_str())
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    old = sorted(data["model"]["vocab"].items(), key=lambda kv: kv[1])
    vocab = {name: i for i, name in enumerate(names)}
    for token, _ in old:
        vocab.setdefault(token, len(vocab))
    data["model"].update(vocab=vocab, byte_fallback=True, fuse_unk=True, unk_token=unk, **more)
    data["added_tokens"] = []
    t = Tokenizer.from_str(json.dumps(data))
    t.add_special_tokens([AddedToken(n, special=True, normalized=False) for n in names[:3]])
    return t


def sentence_spaces():
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def llama_decoder():
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])


def template(single, *names):
    return lambda t: processors.TemplateProcessing(single=single, special_tokens=[(n, t.token_to_id(n)) for n in names])


def tokenizers():
    made = {}
    made["gpt2"] = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    roberta = lambda t: processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    made["roberta"] = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), special=["<s>", "<pad>", "</s>", "<unk>"], post=roberta)
    made["roberta"].add_special_tokens([AddedToken("<mask>", lstrip=True)])
    made["llama3"] = byte_level(split_then_bytes(pre_tokenizers.Split(Regex(LLAMA3), "isolated")), post=template("<|endoftext|> $A", "<|endoftext|>"))
    made["qwen_nfc"] = byte_level(split_then_bytes(pre_tokenizers.Split(Regex(LLAMA3.replace("{1,3}", "")), "isolated")), norm=normalizers.NFC())
    made["starcoder"] = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    made["falcon"] = byte_level(pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
    ]))
    for behavior in ["removed", "merged_with_previous", "merged_with_next", "contiguous"]:
        made[f"split_{behavior}"] = byte_level(split_then_bytes(pre_tokenizers.Split(Regex(r"[aeiou\s]"), behavior)), size=320)
    made["split_inverted"] = byte_level(split_then_bytes(pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True)), size=320)
    made["split_lookahead"] = byte_level(split_then_bytes(pre_tokenizers.Split(Regex(r"(?=(\d{3})+(?!\d))|\s+$|^\p{Lu}"), "isolated")), size=320)
    base = train(models.BPE(unk_token="<unk>"), bpe_trainer(450, special_tokens=["<unk>"], limit_alphabet=90), norm=sentence_spaces(), dec=llama_decoder())
    made["llama2"] = with_byte_fallback(base)
    made["llama2"].post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    meta = train(models.BPE(unk_token="<unk>"), bpe_trainer(450, special_tokens=["<unk>"], limit_alphabet=90),
                 pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False), dec=decoders.Metaspace(prepend_scheme="first", split=False))
    made["metaspace_first"] = with_byte_fallback(meta)
    made["clip"] = train(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), bpe_trainer(400, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=60),
                         pre=pre_tokenizers.Whitespace(), norm=normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
                         dec=decoders.BPEDecoder(suffix="</w>"))
    made["bpe_prefix"] = train(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", fuse_unk=False), bpe_trainer(300, special_tokens=["[UNK]"], continuing_subword_prefix="##", limit_alphabet=50),
                               pre=pre_tokenizers.WhitespaceSplit(), norm=normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()]), dec=decoders.WordPiece(prefix="##", cleanup=False))
    for name, cased in [("bert", False), ("bert_cased", True)]:
        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        made[name] = train(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100), trainers.WordPieceTrainer(vocab_size=400, special_tokens=names, show_progress=False),
                           pre=pre_tokenizers.BertPreTokenizer(), norm=normalizers.BertNormalizer(lowercase=not cased, strip_accents=None), dec=decoders.WordPiece(),
                           post=template("[CLS] $A [SEP]", "[CLS]", "[SEP]"))
    made["unigram"] = train(models.Unigram(), trainers.UnigramTrainer(vocab_size=400, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False),
                            pre=pre_tokenizers.Metaspace(), norm=normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]),
                            dec=decoders.Metaspace(), post=template("$A </s>", "</s>"))
    words = {w: i for i, w in enumerate(["<unk>", "the", "and", "a", "foo", "bar", "1", "2", "!", "?", "hello", "world", ",", "."])}
    made["wordlevel"] = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made["wordlevel"].normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.Strip(left=True, right=False)])
    made["wordlevel"].pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=False)])
    made["added"] = Tokenizer.from_str(made["gpt2"].to_str())
    made["added"].normalizer = normalizers.Lowercase()
    made["added"].add_tokens([AddedToken("tok1", lstrip=True), AddedToken("tok2", rstrip=True, normalized=True), AddedToken("tok3", single_word=True, normalized=False),
                              AddedToken("foo", single_word=True), AddedToken("foobar", normalized=False), AddedToken("hello", normalized=True), AddedToken("<s>", normalized=False)])
    made["added"].add_special_tokens([AddedToken("</s>", lstrip=True, rstrip=True, special=True)])
    return made


def normalization_rules():
    """A small table in place of nmt_nfkc, whose compiled form has 300 kB: widths, ligatures, numbers, spaces,
    and sequences of which one starts another."""
    rules = {}
    for code in [*range(0xFF01, 0xFF5F), *range(0xFB00, 0xFB07), *range(0x2150, 0x218A), 0xA0, 0x3000, 0x2126, 0x212B, 0x1C4]:
        rules[chr(code)] = unicodedata.normalize("NFKC", chr(code))
    for pair in ["e\u0301", "a\u0300", "a\u0300\u0301", "o\u0308"]:
        rules[pair] = unicodedata.normalize("NFC", pair)
    rules |= {"\t": " ", "\n": " ", "\r": " ", "\u200b": " ", "\u200d": ""}
    changes = [rule for rule in rules.items() if rule[0] != rule[1]]
    return "".join("\t".join(" ".join(f"{ord(c):X}" for c in part) for part in rule) + "\n" for rule in changes)


def sentencepiece_model(kind, small_table):
    with tempfile.TemporaryDirectory() as folder:
        rules = {"normalization_rule_name": "nmt_nfkc" if kind == "unigram" else "identity"}
        if small_table and kind == "unigram":
            (pathlib.Path(folder) / "rules.tsv").write_text(normalization_rules())
            rules = {"normalization_rule_tsv": f"{folder}/rules.tsv"}
        text = pathlib.Path(folder) / "text"
        text.write_text("\n".join(line for part in corpus() for line in part.splitlines() if line.strip()))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=f"{folder}/m", vocab_size=500, model_type=kind, byte_fallback=kind == "bpe", character_coverage=0.98,
            num_threads=1, minloglevel=2, **rules,
            add_dummy_prefix=True, remove_extra_whitespaces=kind == "unigram", user_defined_symbols=["<tool>"], hard_vocab_limit=False,
        )
        return pathlib.Path(f"{folder}/m.model").read_bytes()


def protobuf(blob):
    """The fields of a protocol buffer message: (number, value); messages stay bytes."""
    at = 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = blob[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(blob):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        else:
            size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
            value = blob[at : at + size]
            at += size
        yield key >> 3, value


def gguf_vocab(blob, kind):
    """What a converter would put into tokenizer.ggml.* (fields of sentencepiece_model.proto)."""
    tokens, scores, types, normalizer = [], [], [], {}
    for number, value in protobuf(blob):
        if number == 1:
            piece = {3: 1, **dict(protobuf(value))}
            tokens.append(piece[1].decode())
            scores.append(struct.unpack("<f", piece[2])[0])
            types.append(piece[3])
        elif number == 3:
            normalizer = dict(protobuf(value))
    return {
        "model": "llama" if kind == "bpe" else "t5", "tokens": tokens, "scores": scores, "token_types": types, "bos": 1, "eos": 2, "unk": 0,
        "add_space_prefix": bool(normalizer.get(3, 1)), "remove_extra_whitespaces": bool(normalizer.get(4, 1)),
        "precompiled_charsmap": base64.b64encode(normalizer.get(2, b"")).decode(),
    }


def expectation(t, strings):
    ids = [t.encode(s, add_special_tokens=False).ids for s in strings]
    special = [t.encode(s, add_special_tokens=True).ids for s in strings]
    text = [t.decode(i, skip_special_tokens=False) for i in ids]
    return {"ids": ids, "special": special, "text": text}


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def trainer_merges():
    text = (shared() / "corpus/tinyshakespeare/input.txt").read_bytes().decode()
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = split_then_bytes(pre_tokenizers.Split(Regex(LLAMA3), "isolated"))
    t.train_from_iterator([text], bpe_trainer(2048, min_frequency=2, special_tokens=["<|endoftext|>"], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    model = json.loads(t.to_str())["model"]
    return [" ".join(m) for m in model["merges"]], hashlib.sha256(json.dumps(sorted(model["vocab"].items(), key=lambda kv: kv[1])).encode()).hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--many", type=int, default=150)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    strings = hard_strings(args.many)
    dump(args.out / "strings.json", strings)
    expected = {}
    for name, t in tokenizers().items():
        (args.out / f"{name}.tokenizer.json").write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
        expected[name] = expectation(t, strings)
    for kind in ["bpe", "unigram"]:
        blob = sentencepiece_model(kind, args.out == OUT)
        dump(args.out / f"sentencepiece_{kind}.gguf.json", gguf_vocab(blob, kind))
        sp = sentencepiece.SentencePieceProcessor(model_proto=blob)
        expected[f"sentencepiece_{kind}"] = {"ids": [sp.encode(s) for s in strings], "text": [sp.decode(sp.encode(s)) for s in strings]}
    for name, value in expected.items():
        dump(args.out / f"{name}.expected.json", value)
    if args.out == OUT:
        merges, digest = trainer_merges()
        (OUT / "tinyshakespeare_2048.merges.txt").write_text("\n".join(merges) + "\n")
        print("vocabulary digest", digest)


if __name__ == "__main__":
    main()
