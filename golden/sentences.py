"""How many sentences NLTK finds in real texts: `sentences.json`. The texts themselves are not kept.

    python golden/sentences.py DATA/evals PUNKT_JSON golden/sentences.json

PUNKT_JSON is as in `ifeval.py`. The texts are answers of chat models (XSTest), word problems (GSM8K) and prompts
(IFEval), in the order of their files.
"""

import csv
import json
import pathlib
import sys

from ifeval import sentence_model


def main() -> None:
    data, model, out = map(pathlib.Path, sys.argv[1:])
    tokenizer = sentence_model(model)
    counts = {}
    for path in sorted((data / "xstest/model_completions").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as rows:
            texts = [row["completion"] for row in csv.DictReader(rows)]
        counts[str(path.relative_to(data))] = texts
    for name, field in (("gsm8k/test.jsonl", "question"), ("ifeval/input_data.jsonl", "prompt")):
        rows = (data / name).read_text("utf-8").splitlines()
        counts[name] = [json.loads(row)[field] for row in rows]
    counts = {name: [len(tokenizer.tokenize(text)) for text in texts] for name, texts in counts.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(n, separators=(',', ':'))}" for name, n in counts.items()]
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
