"""Writes `rope.json`: the inverse frequencies and the factor on cos and sin that `transformers`
computes for every RoPE type, with the parameters of published models and with awkward ones."""

from __future__ import annotations

import json
from pathlib import Path

import transformers
from transformers import LlamaConfig, Phi3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

import regenerate


def case(name: str, head_dim: int, theta: float, kind: str = "default", lengths=(None,), max_position: int = 131072, **keys) -> dict:
    params = dict(rope_type=kind, rope_theta=theta, **keys)
    return dict(name=name, head_dim=head_dim, max_position_embeddings=max_position, rope_parameters=params, lengths=list(lengths))


def ramp(n: int, top: float) -> list[float]:
    """n long- or short-context divisors that grow from 1 to `top`."""
    return [round(1.0 + (top - 1.0) * (i / (n - 1)) ** 2, 4) for i in range(n)]


LLAMA3 = dict(low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
CASES = [
    case("Llama 2", 128, 1e4, max_position=4096),
    case("GPT-NeoX-like quarter", 64, 1e4, partial_rotary_factor=0.25),
    case("Qwen3", 128, 1e6),
    case("Llama 3.1", 128, 5e5, "llama3", factor=8.0, **LLAMA3),
    case("Llama 3.2 1B", 64, 5e5, "llama3", factor=32.0, **LLAMA3),
    case("Gemma 3 global", 256, 1e6, "linear", factor=8.0),
    case("dynamic", 128, 1e4, "dynamic", lengths=(None, 100, 2048, 2049, 8192), max_position=2048, factor=4.0),
    case("dynamic, factor 1.5", 16, 500.0, "dynamic", lengths=(33, 48), max_position=32, factor=1.5),
    case("Qwen2.5 with yarn", 128, 1e6, "yarn", factor=4.0, original_max_position_embeddings=32768),
    case("yarn, own betas", 64, 1e4, "yarn", factor=16.0, original_max_position_embeddings=4096, beta_fast=64.0, beta_slow=2.0),
    case("yarn, attention factor", 64, 1e4, "yarn", factor=8.0, original_max_position_embeddings=2048, attention_factor=0.75),
    case("yarn, both mscales", 64, 1e4, "yarn", factor=40.0, original_max_position_embeddings=4096, mscale=0.707, mscale_all_dim=1.0),
    case("yarn, untruncated", 64, 1.5e5, "yarn", factor=32.0, original_max_position_embeddings=4096, truncate=False),
    case("yarn, tiny", 16, 500.0, "yarn", max_position=128, factor=4.0, original_max_position_embeddings=32),
    case("Phi-3 128k", 96, 1e4, "longrope", lengths=(4096, 4097), short_factor=ramp(48, 2.8), long_factor=ramp(48, 64.0),
         original_max_position_embeddings=4096),
    case("Phi-4-mini", 128, 1e4, "longrope", lengths=(4096, 4097), partial_rotary_factor=0.75, short_factor=ramp(48, 1.0),
         long_factor=ramp(48, 47.0), original_max_position_embeddings=4096),
    case("longrope, attention factor", 16, 500.0, "longrope", lengths=(32, 33), max_position=128, short_factor=ramp(8, 2.0),
         long_factor=ramp(8, 6.5), original_max_position_embeddings=32, attention_factor=1.25, factor=3.0),
]


def frequencies(entry: dict, length: int | None) -> dict:
    params = dict(entry["rope_parameters"])
    heads = dict(hidden_size=2 * entry["head_dim"], num_attention_heads=2, num_key_value_heads=2,
                 max_position_embeddings=entry["max_position_embeddings"])
    if params["rope_type"] == "longrope":
        heads["original_max_position_embeddings"] = params["original_max_position_embeddings"]
        config = Phi3Config(**heads, pad_token_id=0, rope_parameters=params)
    else:
        config = LlamaConfig(**heads, head_dim=entry["head_dim"], rope_parameters=params)
    if params["rope_type"] == "default":
        inv_freq, factor = Phi3RotaryEmbedding.compute_default_rope_parameters(config)
    else:
        inv_freq, factor = ROPE_INIT_FUNCTIONS[params["rope_type"]](config, seq_len=length)
    return dict(length=length, inv_freq=inv_freq.double().tolist(), factor=float(factor))


def build(out: Path) -> list[str]:
    transformers.logging.set_verbosity_error()
    rows = []
    for entry in CASES:
        lengths = entry.pop("lengths")
        rows.append(dict(**entry, expected=[frequencies(entry, n) for n in lengths]))
    (out / "rope.json").write_text(json.dumps(rows) + "\n")
    return ["rope.json"]


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).resolve().parent, __doc__)
