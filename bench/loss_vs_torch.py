#!/usr/bin/env python3
"""Trains the same model from the same start on the same rows in psi and in PyTorch, and compares the loss curves.

    python3 bench/loss_vs_torch.py [--psi target/release/psi] [--text FILE] [--steps 200] [--out DIR]

psi writes its weights of step 0 as a Hugging Face folder and the rows of every step as JSON; transformers loads the folder,
and a plain loop over the same rows with torch.optim.AdamW must follow psi's losses. Then the trained weights of psi are
loaded in transformers, which must give the bits per byte that `psi score` prints.

Needs: torch and transformers from their public packages.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

RECIPE = """
[model]
depth = 4
d_model = 128
d_head = 32
[tokenizer]
vocab_size = 1024
[train]
steps = {steps}
batch_tokens = 2048
dtype = "f32"
[data]
seq_len = 128
batch_rows = 8
sources = [{{ path = '{text}', split_at = "" }}]
[optim]
kind = "adamw"
lr = 0.002
weight_decay = 0.1
[schedule]
kind = "cosine"
warmup = 20
floor = 0.1
[save]
every = 0
dtype = "f32"
[log]
roof = false
rows = true
start = true
"""


def lr_factor(step, steps, warmup, floor):
    """psi's cosine schedule, steps from 1."""
    if step <= warmup:
        return step / warmup
    t = (step - warmup) / (steps + 1 - warmup)
    return 1.0 - (1.0 - floor) * (0.5 - 0.5 * math.cos(math.pi * t))


def torch_losses(start, rows_file, steps):
    model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    model.train()
    decayed = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optim = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), eps=1e-8)
    by_step = {}
    with open(rows_file) as lines:
        for line in lines:
            row = json.loads(line)
            by_step.setdefault(row["step"], []).append(row)
    losses = []
    for step in range(1, steps + 1):
        for group in optim.param_groups:
            group["lr"] = 0.002 * lr_factor(step, steps, 20, 0.1)
        optim.zero_grad()
        batch = by_step[step]
        n_targets = sum(sum(t != 0xFFFFFFFF for t in rows["targets"]) for rows in batch)
        total = 0.0
        for rows in batch:
            # Without document borders every segment is a row of its own, and all are equally long.
            n_rows = len(rows["segments"])
            tokens = torch.tensor(rows["tokens"]).view(n_rows, -1)
            targets = torch.tensor([-100 if t == 0xFFFFFFFF else t for t in rows["targets"]])
            logits = model(input_ids=tokens, use_cache=False).logits.flatten(0, 1)
            nll = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum")
            (nll / n_targets).backward()
            total += nll.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optim.step()
        losses.append(total / n_targets)
        if step % 20 == 0:
            print(f"torch: step {step}", file=sys.stderr, flush=True)
    return losses


def torch_bits_per_byte(folder, text, window):
    """Windows as `psi score` cuts them: each starts with the last token of the one before."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer.encode(text, add_special_tokens=False)
    nll, at = 0.0, 1
    with torch.no_grad():
        while at < len(tokens):
            first = max(at - 1, 0)
            part = tokens[first : first + window]
            logp = model(torch.tensor([part])).logits[0].double().log_softmax(-1)
            for i in range(at - first, len(part)):
                nll -= logp[i - 1, part[i]].item()
            at = first + len(part)
    return nll / math.log(2) / len(text.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--psi", default="target/release/psi")
    parser.add_argument("--text", required=True, help="a text file to train on")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads")
    parser.add_argument("--out", help="folder to work in (default: a temporary one)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    out = pathlib.Path(args.out or tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    recipe = out / "recipe.toml"
    recipe.write_text(RECIPE.format(steps=args.steps, text=pathlib.Path(args.text).resolve()))
    run = out / "run"
    subprocess.run([args.psi, "train", recipe, "--resume", run], check=True)
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    ours = [m["loss"] for m in metrics]
    theirs = torch_losses(run / "start", run / "rows.jsonl", args.steps)
    worst = max(abs(a - b) / b for a, b in zip(ours, theirs))
    for step in sorted({1, 2, 5, 10, 20, 50, 100, 150, args.steps} & set(range(1, args.steps + 1))):
        print(f"step {step:4}  psi {ours[step - 1]:.6f}  torch {theirs[step - 1]:.6f}")
    print(f"largest relative difference over {args.steps} steps: {100 * worst:.4f} %")
    sample = pathlib.Path(args.text).read_text()[:20000]
    (out / "sample.txt").write_text(sample)
    scored = subprocess.run(
        [args.psi, "score", "--model", run / "model", "--input", out / "sample.txt", "--context", "128", "--json"],
        check=True, capture_output=True, text=True,
    )
    bpb = json.loads(scored.stdout)["bits_per_byte"]
    torch_bpb = torch_bits_per_byte(run / "model", sample, 128)
    print(f"bits per byte: psi {bpb:.6f}, transformers {torch_bpb:.6f}")
    if worst > 0.01 or abs(bpb - torch_bpb) > 5e-5:
        sys.exit("the two do not agree")


if __name__ == "__main__":
    main()
