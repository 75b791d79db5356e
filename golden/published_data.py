"""The fingerprints of published evaluation data that psi-eval checks files against.

    python golden/published_data.py DATA/evals crates/psi-eval/data/published.tsv

One line per file: path, SHA-256 of its text (decompressed), number of records, and the first byte of each
record's SHA-256 in base64. A file whose hash differs is refused, and the bytes tell where it differs. A
record is a line; a file with fewer than two line ends (JSON in one line) is cut at `}, {` instead.
"""

import base64
import gzip
import hashlib
import pathlib
import sys

PATTERNS = [
    "bbh/cot-prompts/*.txt",
    "bbh/tasks/*.json",
    "bfcl/*.json",
    "bfcl/possible_answer/*.json",
    "blimp/data/*.jsonl",
    "core18/*/*.jsonl",
    "gsm8k/test.jsonl",
    "gsm8k/train.jsonl",
    "humaneval/HumanEval.jsonl.gz",
    "ifeval/input_data.jsonl",
    "locomo/errors5.json",
    "locomo/locomo5.json",
    "math500/test.jsonl",
    "mbpp/mbpp.jsonl",
    "wikitext2/test.txt",
    "xstest/xstest_prompts.csv",
]


def records(text: bytes) -> list[bytes]:
    mark = b"\n" if text.count(b"\n") >= 2 else b"}, {"
    return text.removesuffix(b"\n").split(mark)


def main() -> None:
    data, out = map(pathlib.Path, sys.argv[1:])
    lines = []
    for pattern in PATTERNS:
        for path in sorted(data.glob(pattern)):
            text = path.read_bytes()
            if path.suffix == ".gz":
                text = gzip.decompress(text)
            parts = records(text)
            marks = bytes(hashlib.sha256(part).digest()[0] for part in parts)
            name = path.relative_to(data).as_posix()
            digest = hashlib.sha256(text).hexdigest()
            lines.append(f"{name}\t{digest}\t{len(parts)}\t{base64.b64encode(marks).decode()}\n")
    out.write_text("".join(lines))


if __name__ == "__main__":
    main()
