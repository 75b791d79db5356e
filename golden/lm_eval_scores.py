"""Writes `lm_eval_scores.json`: lm-eval's log-likelihoods of some evaluation items under the stories260K checkpoint.

The items lie in the shared data folder (PSI_SHARED, or `shared/data` beside a folder above this one); only their names and numbers are kept.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks.wikitext.preprocess_wikitext import wikitext_detokenizer

import regenerate

BLIMP = ["adjunct_island", "anaphor_gender_agreement", "causative", "npi_present_1", "passive_1", "wh_questions_object_gap"]
CORE = {
    "arc_easy": ("world_knowledge", "\nAnswer: "),
    "copa": ("commonsense_reasoning", " "),
    "openbook_qa": ("commonsense_reasoning", " "),
    "winograd_wsc": ("language_understanding", " "),
    "lambada_openai": ("language_understanding", " "),
    "bigbench_operators": ("symbolic_problem_solving", " "),
}
ITEMS = 10
ARTICLES = 2


def shared() -> Path:
    here = Path(__file__).resolve()
    named = [Path(os.environ["PSI_SHARED"])] if "PSI_SHARED" in os.environ else []
    return next(p for p in named + [up / "shared/data" for up in here.parents] if p.is_dir())


def model(data: Path, bos: bool) -> HFLM:
    """With the start token before contexts; a rolling text begins with it in any case, and with `bos` would have it twice."""
    return HFLM(pretrained=str(data / "models/stories260K/hf"), dtype="float32", device="cpu", batch_size=32, add_bos_token=bos)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open(encoding="utf-8")][:ITEMS]


def pair(lm: HFLM, context: str, continuation: str) -> tuple:
    """The continuation after the context, by lm-eval's own cut."""
    if context:
        ctx, cont = lm._encode_pair(context, continuation)
    else:
        ctx, cont = [lm.prefix_token_id], lm.tok_encode(continuation, add_special_tokens=False)
    return ("", ""), ctx, cont


def choices(lm: HFLM, row: dict, delimiter: str) -> list[tuple]:
    """The requests of a CORE row: what counts begins after the common prefix, or is the common suffix, of the tokens."""
    if "choices" in row:
        whole = [lm.tok_encode(row["query"] + delimiter + c) for c in row["choices"]]
        cut = len(os.path.commonprefix(whole))
        return [(("", ""), ids[:cut], ids[cut:]) for ids in whole]
    if "context_options" in row:
        whole = [lm.tok_encode(c + delimiter + row["continuation"]) for c in row["context_options"]]
        cut = min(len(os.path.commonprefix([ids[::-1] for ids in whole])), min(map(len, whole)) - 1)
        return [(("", ""), ids[: len(ids) - cut], ids[len(ids) - cut :]) for ids in whole]
    return [pair(lm, row["context"], delimiter + row["continuation"])]


def articles(text: str) -> list[str]:
    found: list[list[str]] = []
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        if bare.startswith(" = ") and not bare.startswith(" = =") and bare.endswith(" = "):
            found.append([])
        if found:
            found[-1].append(line)
    return ["".join(lines) for lines in found]


def build(out: Path) -> list[str]:
    data = shared()
    lm = model(data, bos=True)
    asked: list[tuple[str, str, list[tuple]]] = []
    for name in BLIMP:
        for row in rows(data / f"evals/blimp/data/{name}.jsonl"):
            both = [pair(lm, "", row[key]) for key in ("sentence_good", "sentence_bad")]
            asked.append((f"blimp/{name}", row["pairID"], both))
    for name, (folder, delimiter) in CORE.items():
        for i, row in enumerate(rows(data / f"evals/core18/{folder}/{name}.jsonl")):
            asked.append((f"core18/{name}", str(i), choices(lm, row, delimiter)))
    asked = [a for a in asked if all(len(ctx) + len(cont) - 1 <= lm.max_length for _, ctx, cont in a[2])]
    started = time.time()
    found = iter(lm._loglikelihood_tokens([r for _, _, requests in asked for r in requests], disable_tqdm=True))
    seconds = time.time() - started
    print(f"{len(asked)} items in {seconds:.1f} s: {len(asked) / seconds:.1f} items/s")
    scores: dict[str, dict] = {}
    for task, item, requests in asked:
        values = [(next(found), len(cont)) for _, _, cont in requests]
        scores.setdefault(task, {})[item] = [[value, n, greedy] for (value, greedy), n in values]
    texts = articles((data / "evals/wikitext2/test.txt").read_text(encoding="utf-8"))[:ARTICLES]
    instances = [Instance("loglikelihood_rolling", {}, (wikitext_detokenizer({"page": t}),), i) for i, t in enumerate(texts)]
    sums = model(data, bos=False).loglikelihood_rolling(instances, disable_tqdm=True)
    scores["wikitext2"] = {str(i): float(value) for i, value in enumerate(sums)}
    (out / "lm_eval_scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    return ["lm_eval_scores.json"]


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).parent, __doc__)
