#!/usr/bin/env python3
"""Speed of psi refine against TRL's GRPOTrainer on this machine: the same model, the same kind of problems, the same
reward, 16 prompts x 8 answers of at most 128 tokens. Rounds alternate between the two.

    python bench/refine_vs_trl.py PSI MODEL [--rounds 2] [--steps 3] [--threads 2]

Needs trl, transformers and torch. Prints one table; the numbers in docs/benchmarks.md come from it."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PROMPTS, GROUP, MAX_TOKENS = 16, 8, 128
TASKS = ["turns", "cups", "taller", "compare", "most", "pattern", "weekday", "place in list"]


def psi_round(args, folder, dtype):
    """Steps of psi refine: (tokens per second of writing, seconds of a step)."""
    recipe = f"""
run.seed = 1
model.from = {json.dumps(os.path.abspath(args.model))}
train.steps = {args.steps + 1}
train.dtype = "{dtype}"
rl.tasks = {json.dumps(TASKS)}
rl.prompts = {PROMPTS}
rl.group = {GROUP}
rl.max_tokens = {MAX_TOKENS}
rl.refill = 0
rl.curriculum = false
rl.eval_items = 0
optim.kind = "adamw"
optim.lr = 1e-5
eval.every = 0
save.every = 0
"""
    run = tempfile.mkdtemp(dir=folder)
    path = os.path.join(run, "recipe.toml")
    with open(path, "w") as f:
        f.write(recipe)
    command = [args.psi, "refine", path, "--resume", os.path.join(run, "run")]
    subprocess.run(command + ["--threads", str(args.threads)], check=True, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    with open(os.path.join(run, "run", "metrics.jsonl")) as f:
        steps = [json.loads(line) for line in f]
    # The first record is before any step, the second of the step that warms up.
    out, before = [], None
    for step in steps:
        if step["step"] >= 2:
            n = step["tokens"] - before
            out.append((step["rollout_tokens_per_s"], n / step["tokens_per_s"], n))
        before = step["tokens"]
    return out


def problems(args, folder):
    """Problems of the generator that psi refine draws from, with their answers."""
    path = os.path.join(folder, "synth.jsonl")
    command = [args.psi, "data", "synth", "--out", path, "--n", "4000", "--seed", "5", "--mix", "reasoning=100"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    found = []
    with open(path) as f:
        for line in f:
            row = json.loads(line)
            family = row["skill"].partition(": ")[2]
            if row["check"]["kind"] == "problem" and family in TASKS:
                asked = [m for m in row["messages"] if m["role"] == "user"][-1]
                found.append({"prompt": [asked], "answer": row["check"]["answer"]})
    return found


def trl_trainer(args, folder, rows):
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    tokenizer.pad_token = tokenizer.pad_token or "<|endoftext|>"
    tokenizer.padding_side = "left"
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)

    def reward(completions, answer, **_):
        said = [c[0]["content"].split("</think>")[-1].strip().lower() for c in completions]
        return [float(s == f"the answer is {a}.".lower()) for s, a in zip(said, answer)]

    config = GRPOConfig(
        output_dir=folder, use_cpu=True, bf16=False, fp16=False, report_to=[], disable_tqdm=True,
        per_device_train_batch_size=PROMPTS * GROUP, num_generations=GROUP,
        max_completion_length=MAX_TOKENS, temperature=1.0, beta=0.0, learning_rate=1e-5,
        max_steps=args.steps + 1, logging_steps=1, save_strategy="no", gradient_checkpointing=False,
        loss_type="dr_grpo", scale_rewards=False,
    )
    return GRPOTrainer(model=model, args=config, reward_funcs=reward, processing_class=tokenizer,
                       train_dataset=Dataset.from_list(rows))


def trl_round(args, folder, rows):
    """Steps of TRL: (tokens per second of writing, seconds of a step, tokens)."""
    from transformers import TrainerCallback

    trainer = trl_trainer(args, folder, rows)
    writing, marks, lengths = [], [], []
    generate = trainer.model.generate

    def timed(*a, **k):
        started = time.perf_counter()
        out = generate(*a, **k)
        writing.append(time.perf_counter() - started)
        return out

    trainer.model.generate = timed

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            marks.append([time.perf_counter(), None])

        def on_step_end(self, *_, **__):
            marks[-1][1] = time.perf_counter()

        def on_log(self, *_, logs=None, **__):
            if logs and "completions/mean_length" in logs:
                lengths.append(logs["completions/mean_length"])

    started = time.perf_counter()
    trainer.add_callback(Clock())
    trainer.train()
    del started
    ends = [end for _, end in marks]
    out = []
    # The batch of a step is fetched, and written, between the end of the step before and its own end.
    for i in range(1, min(len(ends), len(writing), len(lengths))):
        n = lengths[i] * PROMPTS * GROUP
        out.append((n / writing[i], ends[i] - ends[i - 1], n))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("psi")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = problems(args, folder)
        runs = {"psi f32": [], "psi bf16": [], "trl f32": []}
        for _ in range(args.rounds):
            runs["psi f32"] += psi_round(args, folder, "f32")
            runs["trl f32"] += trl_round(args, folder, rows)
            runs["psi bf16"] += psi_round(args, folder, "bf16")
    trl = runs["trl f32"]
    median = lambda steps, i: statistics.median(step[i] for step in steps)
    print(f"{len(trl)} steps each; {PROMPTS} prompts x {GROUP} answers, at most {MAX_TOKENS} tokens, "
          f"{args.threads} threads")
    for name, steps in runs.items():
        speed, seconds, n = (median(steps, i) for i in range(3))
        # Steps differ in how many tokens they hold: seconds are compared per token.
        step = median(trl, 1) / median(trl, 2) / (seconds / n)
        print(f"{name:9} {speed:8.0f} tokens/s written ({speed / median(trl, 0):4.1f}x)   "
              f"{seconds:6.2f} s a step of {n:5.0f} tokens ({step:4.1f}x per token)")


if __name__ == "__main__":
    sys.exit(main())
