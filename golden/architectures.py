"""Writes a tiny random-weight checkpoint per architecture with the logits, greedy tokens and (for
some) gradients that `transformers` computes from it, in f32 with eager attention.

Each folder of `models/` holds `config.json` and the safetensors as `save_pretrained` writes them,
`config_v4.json` (the same model in the key layout of transformers 4), `golden.json` (ids, greedy
tokens, loss, versions) and `golden.safetensors` (`logits.<case>` of shape (T, V), `grad.<name>`).
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

import regenerate

VOCAB = 96
WINDOW = 16
LONG, SHORT, STEPS = 48, 7, 24
# Smallest distance between the two best logits of any greedy step, and between the last chosen and
# the first rejected router logit, so that rounding cannot decide anything.
MIN_GREEDY_GAP = 2e-2
MIN_ROUTER_GAP = 2e-3
# The reference arithmetic: plain loops over attention and over experts.
EAGER = dict(attn_implementation="eager", experts_implementation="eager")

# The epsilon is far from any default, so that a reader that ignores the key is caught.
BASE = dict(
    vocab_size=VOCAB, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=2e-3, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)


@dataclass
class Spec:
    """One fixture: a configuration (keys over `BASE`) and how it is stored."""

    model_type: str
    keys: dict
    base: dict = field(default_factory=lambda: BASE)
    gradients: bool = False
    dtype: torch.dtype = torch.float32
    shard: str = "1GB"
    # A third prompt that starts below the length where RoPE changes and ends above it.
    crossing: int | None = None


def rope(theta: float = 500.0, kind: str = "default", **keys) -> dict:
    """`rope_parameters` with a small base, so that the low frequencies turn within a short prompt."""
    return dict(rope_theta=theta, rope_type=kind, **keys)


LONGROPE = dict(
    short_factor=[1.0, 1.05, 1.1, 1.2, 1.3, 1.45, 1.6, 1.8],
    long_factor=[1.0, 1.25, 1.6, 2.1, 2.8, 3.7, 4.9, 6.5],
)

SPECS: dict[str, Spec] = {
    "llama2": Spec("llama", dict(hidden_size=32, num_key_value_heads=4, intermediate_size=88, rms_norm_eps=1e-5, rope_parameters=rope(10000.0))),
    "llama3": Spec("llama", dict(
        num_key_value_heads=1, head_dim=16, num_attention_heads=2, tie_word_embeddings=True,
        rope_parameters=rope(kind="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
    ), gradients=True),
    "llama_bias": Spec("llama", dict(attention_bias=True, mlp_bias=True, head_dim=12, hidden_act="gelu", rope_parameters=rope())),
    "llama_linear": Spec("llama", dict(head_dim=16, num_attention_heads=2, num_key_value_heads=1, rope_parameters=rope(kind="linear", factor=4.0))),
    "llama_dynamic": Spec("llama", dict(
        head_dim=16, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=32,
        rope_parameters=rope(kind="dynamic", factor=2.0),
    ), crossing=20),
    "llama_yarn": Spec("llama", dict(
        head_dim=16, num_attention_heads=2, num_key_value_heads=1,
        rope_parameters=rope(kind="yarn", factor=4.0, original_max_position_embeddings=32),
    )),
    "mistral": Spec("mistral", dict(head_dim=12, sliding_window=WINDOW, rope_parameters=rope())),
    "qwen2": Spec("qwen2", dict(
        hidden_size=32, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1, rope_parameters=rope(1000.0),
    )),
    "qwen2_tied": Spec("qwen2", dict(tie_word_embeddings=True, rope_parameters=rope(1e6)), dtype=torch.bfloat16),
    "qwen3": Spec("qwen3", dict(head_dim=12, tie_word_embeddings=True, rope_parameters=rope(1000.0)), gradients=True),
    "gemma2": Spec("gemma2", dict(
        head_dim=12, query_pre_attn_scalar=20, sliding_window=WINDOW, attn_logit_softcapping=4.0,
        final_logit_softcapping=6.0, rope_parameters=rope(),
    ), gradients=True),
    "gemma3": Spec("gemma3_text", dict(
        intermediate_size=28, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1,
        head_dim=16, query_pre_attn_scalar=10, sliding_window=WINDOW,
        rope_parameters=dict(sliding_attention=rope(100.0), full_attention=rope(2000.0, "linear", factor=8.0)),
    )),
    "phi3": Spec("phi3", dict(
        hidden_size=32, num_attention_heads=2, num_key_value_heads=1, original_max_position_embeddings=32, sliding_window=20,
        rope_parameters=rope(kind="longrope", **LONGROPE),
    ), crossing=20),
    "phi4_mini": Spec("phi3", dict(
        hidden_size=32, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True, original_max_position_embeddings=32,
        rope_parameters=rope(kind="longrope", partial_rotary_factor=0.75,
                             short_factor=LONGROPE["short_factor"][:6], long_factor=LONGROPE["long_factor"][:6]),
    ), dtype=torch.float16),
    "smollm3": Spec("smollm3", dict(
        num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=1,
        # The list wins over the interval; GGUF can only say "every fourth".
        no_rope_layers=[1, 1, 1, 0], no_rope_layer_interval=3, rope_parameters=rope(),
    )),
    "olmo2": Spec("olmo2", dict(hidden_size=32, rope_parameters=rope()), shard="40KB"),
    "gpt2": Spec("gpt2", dict(
        vocab_size=VOCAB, n_embd=24, n_layer=2, n_head=4, n_positions=80, layer_norm_epsilon=2e-3, bos_token_id=1, eos_token_id=2,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    ), base={}, gradients=True),
    "mixtral": Spec("mixtral", dict(
        num_local_experts=4, num_experts_per_tok=2, intermediate_size=16, sliding_window=WINDOW, rope_parameters=rope(),
    ), gradients=True),
    "qwen3_moe": Spec("qwen3_moe", dict(
        num_hidden_layers=3, head_dim=12, num_attention_heads=2, num_key_value_heads=1,
        moe_intermediate_size=16, num_experts=5, num_experts_per_tok=2, norm_topk_prob=True, mlp_only_layers=[1],
        tie_word_embeddings=True, rope_parameters=rope(),
    )),
    "qwen3_moe_step": Spec("qwen3_moe", dict(
        head_dim=8, num_attention_heads=2, moe_intermediate_size=12,
        num_experts=6, num_experts_per_tok=3, norm_topk_prob=False, decoder_sparse_step=2, rope_parameters=rope(),
    )),
    # Every layer sparse and renormalised: all that GGUF's qwen3moe can say.
    "qwen3_moe_all": Spec("qwen3_moe", dict(
        head_dim=16, num_attention_heads=2, num_key_value_heads=1, moe_intermediate_size=12, num_experts=4,
        num_experts_per_tok=2, norm_topk_prob=True, tie_word_embeddings=True, rope_parameters=rope(),
    )),
}


def fill(model: torch.nn.Module, rng: np.random.Generator, dtype: torch.dtype) -> None:
    """Random weights large enough that a mistake shows: unit-gain matrices, norms around one,
    biases away from zero. NumPy draws them because its stream is the same on every machine."""
    gemma = model.config.model_type.startswith("gemma")
    # Tied embeddings stay small, or every model would only repeat its last token.
    embed_std = 0.2 if model.config.tie_word_embeddings else 0.8
    done = set()
    for name, p in model.named_parameters(remove_duplicate=True):
        noise = rng.standard_normal(tuple(p.shape))
        leaf = name.rsplit(".", 2)[-2:]
        if "norm" in leaf[0] or leaf[0].startswith("ln_"):
            centre = 0.0 if leaf[1] == "bias" else 0.6 if gemma else 1.0
            value = centre + 0.15 * noise
        elif leaf[1] == "bias":
            value = 0.2 * noise
        elif "embed" in name or leaf[0] in ("wte", "wpe"):
            value = embed_std * noise
        else:
            conv1d = model.config.model_type == "gpt2" and p.ndim == 2 and leaf[0] != "lm_head"
            fan_in = p.shape[0] if conv1d else p.shape[-1]
            gain = 2.0 if any(k in name for k in ("q_proj", "k_proj", "qkv", "c_attn", "gate.weight", "lm_head")) else 1.0
            value = gain * noise / fan_in**0.5
        with torch.no_grad():
            p.copy_(torch.from_numpy(value).to(dtype).to(p.dtype))
        done.add(name)
    assert done == {n for n, _ in model.named_parameters()}


def new_model(config, weights: dict | None = None, dtype=torch.float32):
    """A fresh model: some RoPE variants keep state from earlier calls, so every pass gets its own."""
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config), dtype=dtype, **EAGER).eval()
    if weights is not None:
        model.load_state_dict(weights)
        if dtype == torch.float64:
            model = model.double()
    return model


def logits_of(config, weights, ids: list[int], dtype=torch.float32) -> torch.Tensor:
    return forward(new_model(config, weights, dtype), ids)


def forward(model, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def top_two_gap(row: torch.Tensor) -> float:
    best = torch.topk(row, 2).values
    return float(best[0] - best[1])


def greedy(config, weights, ids: list[int]) -> tuple[list[int], float]:
    """`STEPS` tokens without a KV cache and without stopping at EOS, and the smallest top-2 gap."""
    ids, out, gap = list(ids), [], float("inf")
    model = new_model(config, weights)
    for _ in range(STEPS):
        if rope_changes_at(config) is not None:
            model = new_model(config, weights)
        row = forward(model, ids)[-1]
        gap = min(gap, top_two_gap(row))
        out.append(int(row.argmax()))
        ids.append(out[-1])
    return out, gap


def router_gap(config, weights, ids: list[int]) -> float:
    """Smallest difference between the router logits ranked k and k + 1."""
    model, gaps = new_model(config, weights), [float("inf")]
    k = getattr(config, "num_experts_per_tok", None)

    def hook(_module, _inputs, output):
        best = torch.sort(output[0], dim=-1, descending=True).values
        gaps.append(float((best[:, k - 1] - best[:, k]).min()))

    for module in model.modules():
        if type(module).__name__.endswith("TopKRouter"):
            module.register_forward_hook(hook)
    with torch.no_grad():
        model(torch.tensor([ids]), use_cache=False)
    return min(gaps)


def rope_changes_at(config) -> int | None:
    """Sequence length above which RoPE's frequencies differ, for the types where they do."""
    params = getattr(config, "rope_parameters", None) or {}
    if params.get("rope_type") == "dynamic":
        return config.max_position_embeddings
    if params.get("rope_type") == "longrope":
        return params["original_max_position_embeddings"]
    return None


def make_config(spec: Spec):
    keys = {**spec.base, **copy.deepcopy(spec.keys)}
    return AutoConfig.for_model(spec.model_type, **keys)


def prompts(rng: np.random.Generator, spec: Spec) -> list[list[int]]:
    lengths = [LONG, SHORT] + ([spec.crossing] if spec.crossing else [])
    return [[1] + rng.integers(3, VOCAB, n - 1).tolist() for n in lengths]


def find_seed(spec: Spec, config):
    """The first seed whose decisions all have a clear margin."""
    for seed in range(1, 400):
        rng = np.random.default_rng(seed)
        model = new_model(config)
        fill(model, rng, spec.dtype)
        weights, cases, tightest = model.state_dict(), prompts(rng, spec), [float("inf"), float("inf")]
        results = []
        for ids in cases:
            tokens, gap = greedy(config, weights, ids)
            tightest = [min(tightest[0], gap), min(tightest[1], router_gap(config, weights, ids + tokens))]
            if tightest[0] < MIN_GREEDY_GAP or tightest[1] < MIN_ROUTER_GAP or len(set(tokens)) < 5:
                break
            results.append(tokens)
        if len(results) == len(cases):
            return seed, model, cases, results, tightest
    raise SystemExit(f"no seed gives clear margins for {config.model_type}")


def loss_and_gradients(config, weights, ids: list[int]) -> tuple[float, dict[str, torch.Tensor]]:
    """Mean next-token cross-entropy over the prompt and its gradient for every stored tensor."""
    model = new_model(config, weights)
    rows = model(torch.tensor([ids]), use_cache=False).logits[0]
    loss = torch.nn.functional.cross_entropy(rows[:-1], torch.tensor(ids[1:]))
    loss.backward()
    return float(loss.detach()), {n: p.grad for n, p in model.named_parameters()}


def stored_gradients(model, grads: dict[str, torch.Tensor], folder: Path) -> dict[str, torch.Tensor]:
    """Gradients under the names and shapes of the stored tensors: `save_pretrained` splits fused
    experts, so the gradients go through the same writer."""
    carrier = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in carrier.named_parameters():
            p.copy_(grads[name])
    carrier.save_pretrained(folder)
    from safetensors.torch import load_file

    return {f"grad.{n}": t.contiguous() for n, t in load_file(folder / "model.safetensors").items()}


def to_v4(config: dict) -> dict:
    """The same configuration with the keys transformers 4 writes."""
    old = copy.deepcopy(config)
    old["transformers_version"] = "4.51.3"
    old["torch_dtype"] = old.pop("dtype")
    params = old.pop("rope_parameters", None)
    layer_types = old.pop("layer_types", None)
    kind = old["model_type"]
    if kind == "gemma3_text":
        old["rope_theta"] = params["full_attention"].pop("rope_theta")
        old["rope_local_base_freq"] = params["sliding_attention"]["rope_theta"]
        old["rope_scaling"] = params["full_attention"]
        old["sliding_window_pattern"] = 6
    elif params is not None:
        old["rope_theta"] = params.pop("rope_theta")
        partial = params.pop("partial_rotary_factor", None)
        if kind == "phi3":
            params.pop("original_max_position_embeddings", None)
            params["type"] = params.pop("rope_type")
            if partial not in (None, 1.0):
                old["partial_rotary_factor"] = partial
        old["rope_scaling"] = None if params.get("rope_type") == "default" else params
        # "type" was the older name of "rope_type"; half of the fixtures use it.
        if params.get("rope_type") in ("linear", "dynamic"):
            params["type"] = params.pop("rope_type")
    # transformers 4 left out what equals the class default, as many published files do.
    if kind in ("gemma2", "gemma3_text", "gpt2", "smollm3"):
        assert old.pop("tie_word_embeddings")
    if old.get("head_dim", 0) is None:
        del old["head_dim"]
    if kind == "llama" and old["head_dim"] * old["num_attention_heads"] == old["hidden_size"]:
        del old["head_dim"]
    if kind in ("qwen2", "qwen3") and "sliding_attention" not in layer_types:
        old["sliding_window"] = 4096
    if kind == "smollm3":
        del old["no_rope_layers"], old["no_rope_layer_interval"]
    if kind == "qwen3_moe":
        old["num_experts"] = old.pop("num_local_experts", old.get("num_experts"))
    return old


def check_v4(v4: dict, config_path: Path) -> None:
    """transformers must read both layouts as the same configuration."""
    keys = {k: v for k, v in copy.deepcopy(v4).items() if k not in ("model_type", "transformers_version")}
    a = AutoConfig.for_model(v4["model_type"], **keys).to_dict()
    b = AutoConfig.from_pretrained(config_path.parent).to_dict()
    skip = {"transformers_version", "no_rope_layer_interval", "sliding_window_pattern", "_name_or_path", "rope_theta", "rope_local_base_freq", "partial_rotary_factor"}
    drop_type = lambda d: {k: ({x: y for x, y in v.items() if x != "type"} if k == "rope_parameters" else v) for k, v in d.items()}
    a, b = drop_type(a), drop_type(b)
    diff = {k: (a.get(k), b.get(k)) for k in set(a) | set(b) if k not in skip and a.get(k) != b.get(k)}
    assert not diff, f"{config_path}: the two layouts disagree: {diff}"


def write_model(name: str, spec: Spec, folder: Path) -> None:
    config = make_config(spec)
    seed, model, cases, tokens, tightest = find_seed(spec, config)
    weights = model.state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*"):
        stale.unlink()
    model.to(spec.dtype).save_pretrained(folder, max_shard_size=spec.shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    config_path = folder / "config.json"
    v4 = to_v4(json.loads(config_path.read_text()))
    check_v4(v4, config_path)
    (folder / "config_v4.json").write_text(json.dumps(v4, indent=2) + "\n")

    out, entries, switch = {}, [], rope_changes_at(config)
    for i, (ids, new) in enumerate(zip(cases, tokens)):
        rows = logits_of(config, weights, ids)
        exact = logits_of(config, weights, ids, torch.float64)
        out[f"logits.{i}"] = rows.contiguous()
        end = len(ids) + STEPS
        moves = switch is not None and (end - 1 > switch if config.rope_parameters["rope_type"] == "dynamic" else len(ids) <= switch < end - 1)
        entries.append(dict(
            ids=ids, greedy=new, greedy_needs_recompute=bool(moves),
            f32_error=float((rows.double() - exact).abs().max() / exact.abs().max()),
        ))
    golden = dict(
        architecture=type(model).__name__, seed=seed, torch=torch.__version__.split("+")[0],
        transformers=transformers.__version__, attention="eager", compute_dtype="float32",
        min_greedy_gap=tightest[0], cases=entries,
    )
    if tightest[1] != float("inf"):
        golden["min_router_gap"] = tightest[1]
    if spec.gradients:
        loss, grads = loss_and_gradients(config, weights, cases[0])
        golden["loss"] = loss
        scratch = folder / "scratch"
        out.update(stored_gradients(model.float(), grads, scratch))
        for stale in scratch.glob("*"):
            stale.unlink()
        scratch.rmdir()
    save_file(out, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    check_reload(folder, cases[0], out["logits.0"])
    size = sum(p.stat().st_size for p in folder.iterdir())
    print(f"{name:16} seed {seed:3} gap {tightest[0]:.3f} f32 error {entries[0]['f32_error']:.1e} {size:7} bytes")


def check_reload(folder: Path, ids: list[int], rows: torch.Tensor) -> None:
    """What was written, read back by transformers, gives the recorded logits."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **EAGER).eval()
    with torch.no_grad():
        again = model(torch.tensor([ids]), use_cache=False).logits[0]
    assert torch.allclose(again, rows, rtol=0, atol=1e-5 * float(rows.abs().max())), f"{folder}: reload differs"


def build(out: Path) -> list[str]:
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name, spec in SPECS.items():
        write_model(name, spec, out / "models" / name)
    return [f"models/{name}" for name in SPECS]


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).resolve().parent, __doc__)
