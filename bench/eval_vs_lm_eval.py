#!/usr/bin/env python3
"""BLiMP whole, as a user runs it: psi beside lm-eval with `transformers`, from the start of the program to its figures.

    bench/eval_vs_lm_eval.py --psi PROGRAM --python PYTHON --model FOLDER --data FOLDER [--rounds 2] [--items N]

PYTHON has lm-eval (.ci/requirements-lm-eval.txt), MODEL is a checkpoint folder, DATA holds `blimp` as its authors publish it. lm-eval
reads the same files as tasks of its own, in f32, with the batch size given (--batch). Both log every sample. Rounds take turns; medians are
printed, and the accuracies of both.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

TASK = """task: local_{name}
dataset_path: json
dataset_kwargs:
  data_files:
    train: {path}
output_type: multiple_choice
validation_split: train
test_split: null
doc_to_text: ""
doc_to_target: 0
doc_to_choice: "{{{{[sentence_good, sentence_bad]}}}}"
num_fewshot: 0
metric_list:
  - metric: acc
metadata:
  version: 1.0
"""


def timed(command):
    started = time.monotonic()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def run_psi(arguments, out):
    command = [arguments.psi, "eval", "run", "blimp", "--model", arguments.model, "--data", arguments.data, "--out", out, "--dtype", "f32",
               "--no-cache", "--raw", "--overlong", "wrong", "--threads", arguments.threads]
    seconds = timed(command + (["--n", arguments.items] if arguments.items else []))
    samples = [json.loads(line) for line in (out / "samples.jsonl").open()]
    return seconds, len(samples), sum(sample["correct"] for sample in samples) / len(samples)


def run_lm_eval(arguments, out, tasks, names):
    command = [arguments.python, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={arguments.model},dtype=float32", "--tasks",
               ",".join(names), "--include_path", tasks, "--device", "cpu", "--batch_size", arguments.batch, "--output_path", out, "--log_samples"]
    seconds = timed(command + (["--limit", arguments.items] if arguments.items else []))
    results = json.loads(next(out.rglob("results_*.json")).read_text())
    n = sum(count["effective"] for count in results["n-samples"].values())
    right = sum(results["results"][name]["acc,none"] * results["n-samples"][name]["effective"] for name in names)
    return seconds, n, right / n


def main():
    parser = argparse.ArgumentParser()
    for name in ["psi", "python", "model", "data"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--items", help="of each of the tasks; default: all")
    parser.add_argument("--batch", default="64")
    parser.add_argument("--threads", default="2")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        tasks = scratch / "tasks"
        tasks.mkdir()
        names = []
        for path in sorted((pathlib.Path(arguments.data) / "blimp/data").glob("*.jsonl")):
            names.append(f"local_{path.stem}")
            (tasks / f"{path.stem}.yaml").write_text(TASK.format(name=path.stem, path=path.resolve()))
        rates = {"psi": [], "lm-eval": []}
        for i in range(arguments.rounds):
            for who in rates:
                out = scratch / f"{who}-{i}"
                found = run_psi(arguments, out) if who == "psi" else run_lm_eval(arguments, out, tasks, names)
                seconds, n, accuracy = found
                rates[who].append(n / seconds)
                print(f"{who}: {n} items in {seconds:.1f} s, {n / seconds:.0f} items/s, accuracy {accuracy:.4f}", flush=True)
        psi, other = (statistics.median(rates[who]) for who in ["psi", "lm-eval"])
        print(f"psi has {psi / other:.1f} times the items per second")


if __name__ == "__main__":
    main()
