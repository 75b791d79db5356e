"""Holds psi's log-likelihoods against lm-eval's on the same tiny checkpoint.

Usage: lm_eval_agreement.py PSI DATA [--items N] [--rounds N]

PSI is the program, DATA the folder of shared data. psi runs BLiMP, WikiText-2 and six CORE tasks; lm-eval's own model class computes
the same requests with `transformers`. Ends with status 1 where a log-likelihood is off by more than 1e-5 (relative where it is larger
than 1) or an accuracy differs. Prints the items per second of both, in rounds that take turns: psi's with its start, reading of the data, logging and
figures, lm-eval's of the computation alone. The CORE tasks run without examples: with them nothing fits the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORE = ["arc_easy", "copa", "openbook_qa", "winograd_wsc", "lambada_openai", "bigbench_operators"]
TOLERANCE = 1e-5


def run_psi(psi: str, model: Path, data: Path, out: Path, tasks: list[str], n: int, *more: str) -> tuple[list[dict], float]:
    """The samples of a run and the seconds that the whole program took."""
    args = [psi, "eval", "run", *tasks, *more, "--model", str(model), "--data", str(data), "--out", str(out)]
    args += ["--n", str(n), "--dtype", "f32", "--no-cache", "--overlong", "wrong", "--threads", "2", "--raw"]
    started = time.time()
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)
    seconds = time.time() - started
    return [json.loads(line) for line in (out / "samples.jsonl").open()], seconds


def requests(lm, sample: dict) -> list[tuple]:
    """What lm-eval is asked for: text pairs where the continuation counts, tokens where the choices decide what counts."""
    prompt, choices = sample["prompt"], sample["choices"]
    whole = [lm.tok_encode(prompt + c["context"] + c["continuation"]) for c in choices]
    if sample["span"] == "continuation":
        pairs = []
        for c in choices:
            context = prompt + c["context"]
            if context:
                ctx, cont = lm._encode_pair(context, c["continuation"])
            else:
                ctx, cont = [lm.prefix_token_id], lm.tok_encode(c["continuation"], add_special_tokens=False)
            pairs.append((ctx, cont))
        return [(("", ""), ctx, cont) for ctx, cont in pairs]
    if sample["span"] == "after_common_prefix":
        shared = len(os.path.commonprefix(whole))
        return [(("", ""), ids[:shared], ids[shared:]) for ids in whole]
    shared = len(os.path.commonprefix([ids[::-1] for ids in whole]))
    shared = min(shared, min(len(ids) for ids in whole) - 1)
    return [(("", ""), ids[: len(ids) - shared], ids[len(ids) - shared :]) for ids in whole]


def span_of(task: str) -> str:
    if task.startswith("blimp/") or task.endswith(("lambada_openai", "bigbench_operators")):
        return "continuation"
    return "common_suffix" if task.endswith("winograd_wsc") else "after_common_prefix"


def best(task: str, values: list[tuple[float, int, bool]], gold: int) -> bool:
    """Whether an item is right by the task's rule."""
    if len(values) == 1:
        return values[0][2]
    score = [v if task.startswith("blimp/") else v / max(n, 1) for v, n, _ in values]
    return score.index(max(score)) == gold


def compute(lm, samples: list[dict]) -> tuple[list[tuple], list[tuple], float]:
    """What lm-eval is asked, what it finds, and the seconds of the computation."""
    for sample in samples:
        sample["span"] = span_of(sample["task"])
    asked = [request for sample in samples for request in requests(lm, sample)]
    started = time.time()
    found = lm._loglikelihood_tokens(asked, disable_tqdm=True)
    return asked, found, time.time() - started


def compare_choices(samples: list[dict], asked: list[tuple], found: list[tuple]) -> int:
    problems, worst, at = 0, 0.0, 0
    accuracy: dict[str, list[int]] = {}
    for sample in samples:
        theirs = []
        for ours in sample["output"]["choices"]:
            value, greedy = found[at]
            n = len(asked[at][2])
            at += 1
            theirs.append((value, n, greedy))
            off = abs(value - ours["sum"])
            worst = max(worst, off / max(1.0, abs(value)))
            if n != ours["n_tokens"] or off > TOLERANCE * max(1.0, abs(value)):
                problems += 1
                print(f"{sample['task']} {sample['id']}: {ours} against {value} over {n} tokens, greedy {greedy}")
        sums = accuracy.setdefault(sample["task"], [0, 0, 0])
        sums[0] += 1
        sums[1] += sample["correct"]
        sums[2] += best(sample["task"], theirs, sample["reference"]["gold"])
    for task, (n, ours, theirs) in accuracy.items():
        if ours != theirs:
            problems += 1
            print(f"{task}: psi has {ours} of {n} right, lm-eval {theirs}")
    print(f"{at} log-likelihoods of {len(accuracy)} tasks, largest relative difference {worst:.1e}")
    return problems


def compare_rolling(lm, samples: list[dict]) -> int:
    from lm_eval.api.instance import Instance

    instances = [Instance("loglikelihood_rolling", {}, (s["prompt"],), i) for i, s in enumerate(samples)]
    found = lm.loglikelihood_rolling(instances, disable_tqdm=True)
    off = [abs(s["output"]["rolling"]["sum"] - f) / abs(f) for s, f in zip(samples, found)]
    print(f"{len(samples)} articles, largest relative difference {max(off):.1e}")
    return sum(o > TOLERANCE for o in off)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("psi")
    parser.add_argument("data", type=Path)
    parser.add_argument("--items", type=int, default=40, help="items of each task")
    parser.add_argument("--rounds", type=int, default=1, help="how often both are timed")
    args = parser.parse_args()
    folder_of_model = args.data / "models/stories260K/hf"

    import torch
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(2)

    # A rolling text begins with the start token in any case, and with the flag would have it twice.
    def model(bos: bool) -> HFLM:
        return HFLM(pretrained=str(folder_of_model), dtype="float32", device="cpu", batch_size=32, add_bos_token=bos)

    lm = model(True)
    evals, core = args.data / "evals", [f"core18/{t}" for t in CORE]
    ours, theirs = [], []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            choices, of_blimp = run_psi(args.psi, folder_of_model, evals, out / "blimp", ["blimp"], args.items)
            more, of_core = run_psi(args.psi, folder_of_model, evals, out / "core", core, args.items, "--shots", "0")
            rolling, _ = run_psi(args.psi, folder_of_model, evals, out / "rolling", ["wikitext2"], 12)
        choices += more
        fitting = [s for s in choices if "output" in s]
        asked, found, seconds = compute(lm, fitting)
        ours.append(len(choices) / (of_blimp + of_core))
        theirs.append(len(fitting) / seconds)
        print(f"psi {ours[-1]:.0f} items/s, lm-eval {theirs[-1]:.0f} items/s")
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    print(f"{len(choices) - len(fitting)} items do not fit the context of this checkpoint and are left out")
    print(f"median of {args.rounds}: psi {ours:.0f} items/s, lm-eval {theirs:.0f} items/s, {ours / theirs:.1f} times")

    problems = compare_choices(fitting, asked, found) + compare_rolling(model(False), rolling)
    print("FAILED" if problems else "ok", f"({problems} differences)")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
