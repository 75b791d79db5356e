"""Writes `adamw.json`: what PyTorch's AdamW makes of a small parameter in five steps, with clipping."""

from __future__ import annotations

import json
from pathlib import Path

import torch

import regenerate

N = 37
MAX_NORM = 1.5


def build(out: Path) -> list[str]:
    w = torch.nn.Parameter(torch.tensor([((i * 7919) % 101 - 50) / 40 for i in range(N)]))
    optimiser = torch.optim.AdamW([w], lr=0.02, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, foreach=False)
    steps = []
    for t in range(5):
        gradient = torch.tensor([((i * 104729 + t * 31) % 97 - 48) / 60 for i in range(N)])
        w.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([w], MAX_NORM)
        optimiser.step()
        steps.append(dict(gradient=gradient.tolist(), norm=norm.item(), w=w.tolist()))
    start = [((i * 7919) % 101 - 50) / 40 for i in range(N)]
    text = json.dumps(dict(max_norm=MAX_NORM, start=start, steps=steps))
    (out / "adamw.json").write_text(text + "\n")
    return ["adamw.json"]


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).parent, __doc__)
