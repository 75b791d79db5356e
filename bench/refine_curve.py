#!/usr/bin/env python3
"""The learning curve of psi refine beside that of TRL's GRPOTrainer: the same model, problems of the same family, the same
reward and settings, several seeds of each.

    python bench/refine_curve.py PSI MODEL [--family "even numbers"] [--seeds 3] [--steps 60] [--lr 1e-4] [--json OUT]

Needs trl, transformers and torch. Prints the share of right answers, averaged over tenths of the steps, as the mean over the
seeds and their spread. Exit status 1 if the means of a tenth differ by more than twice the larger spread of the two
(at least 0.05, the noise of a tenth's own sample)."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

PROMPTS, GROUP, MAX_TOKENS = 16, 8, 64
N_BINS = 10


def psi_curve(args, folder, seed):
    recipe = f"""
run.seed = {seed}
model.from = {json.dumps(os.path.abspath(args.model))}
train.steps = {args.steps}
train.dtype = "f32"
rl.tasks = [{json.dumps(args.family)}]
rl.prompts = {PROMPTS}
rl.group = {GROUP}
rl.max_tokens = {MAX_TOKENS}
rl.average = "constant"
rl.advantage = "centred"
rl.clip_high = 0.2
rl.refill = 0
rl.curriculum = false
rl.eval_items = 0
optim.kind = "adamw"
optim.lr = {args.lr}
optim.beta2 = 0.999
optim.weight_decay = 0.0
schedule.kind = "constant"
schedule.warmup = 1
eval.every = 0
save.every = 0
"""
    path = os.path.join(folder, f"psi-{seed}.toml")
    with open(path, "w") as f:
        f.write(recipe)
    run = os.path.join(folder, f"psi-{seed}")
    command = [args.psi, "refine", path, "--resume", run, "--threads", str(args.threads)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(os.path.join(run, "metrics.jsonl")) as f:
        steps = [json.loads(line) for line in f]
    return [step["accuracy"] for step in steps if step["step"] > 0]


def problems(args, folder, seed):
    path = os.path.join(folder, f"problems-{seed}.jsonl")
    n = str(args.steps * PROMPTS)
    command = [args.psi, "data", "synth", "--out", path, "--n", n, "--seed", str(seed), "--family", args.family]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    return [{"prompt": row["messages"][:1], "answer": row["check"]["answer"]} for row in rows]


def trl_curve(args, folder, seed):
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    tokenizer.pad_token = tokenizer.pad_token or "<|endoftext|>"
    tokenizer.padding_side = "left"
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)

    def reward(completions, answer, **_):
        # Tags may be missing from the text: the answer is its last sentence.
        said = [c[0]["content"].split("</think>")[-1].strip().lower() for c in completions]
        return [float(s.endswith(f"the answer is {a}.".lower())) for s, a in zip(said, answer)]

    config = GRPOConfig(
        output_dir=os.path.join(folder, f"trl-{seed}"), use_cpu=True, bf16=False, fp16=False, report_to=[], disable_tqdm=True,
        per_device_train_batch_size=PROMPTS * GROUP, num_generations=GROUP, seed=seed, max_completion_length=MAX_TOKENS,
        temperature=1.0, beta=0.0, learning_rate=args.lr, lr_scheduler_type="constant", weight_decay=0.0, epsilon=0.2,
        max_steps=args.steps, logging_steps=1, save_strategy="no", gradient_checkpointing=False, loss_type="dr_grpo",
        scale_rewards=False,
    )
    rewards = []

    class Log(TrainerCallback):
        def on_log(self, *_, logs=None, **__):
            if logs and "reward" in logs:
                rewards.append(float(logs["reward"]))

    rows = Dataset.from_list(problems(args, folder, seed))
    trainer = GRPOTrainer(model=model, args=config, reward_funcs=reward, processing_class=tokenizer, train_dataset=rows)
    trainer.add_callback(Log())
    trainer.train()
    return rewards


def bins(curve):
    size = max(len(curve) // N_BINS, 1)
    return [statistics.mean(curve[i * size : (i + 1) * size]) for i in range(min(N_BINS, len(curve)))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("psi")
    parser.add_argument("model")
    parser.add_argument("--family", default="even numbers")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="also write the curves here")
    args = parser.parse_args()
    curves = {"psi": [], "trl": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, args.seeds + 1):
            curves["psi"].append(psi_curve(args, folder, seed))
            curves["trl"].append(trl_curve(args, folder, seed))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(curves, f)
    print(f"{args.family}: right answers of {PROMPTS} x {GROUP}, {args.seeds} seeds, {args.steps} steps at {args.lr}")
    print("steps        psi           trl")
    apart = 0
    tables = {name: list(zip(*(bins(curve) for curve in found))) for name, found in curves.items()}
    for i, (psi, trl) in enumerate(zip(tables["psi"], tables["trl"])):
        means = [statistics.mean(x) for x in (psi, trl)]
        spreads = [statistics.stdev(x) if len(x) > 1 else 0.0 for x in (psi, trl)]
        apart += abs(means[0] - means[1]) > 2 * max(*spreads, 0.025)
        size = max(args.steps // N_BINS, 1)
        cells = "   ".join(f"{mean:.3f} +- {spread:.3f}" for mean, spread in zip(means, spreads))
        print(f"{i * size + 1:3} to {(i + 1) * size:3}  {cells}")
    print(f"{apart} of {len(tables['psi'])} rows lie further apart than the seeds do")
    return int(apart > 0)


if __name__ == "__main__":
    sys.exit(main())
