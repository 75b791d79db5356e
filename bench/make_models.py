"""Make the random-weight Llama-shaped models that the speed comparisons run on.

Speed does not depend on what the weights are, only on their shapes and types, so the peers are compared on seeded
random weights that anyone can make again bit for bit. For every size this writes, under OUT:

    NAME-bf16.gguf          the GGUF file (matrices in BF16, norms in F32), with a tokenizer inside
    NAME-hf/                the same weights as a Hugging Face folder (sharded safetensors, config, tokenizer.json)
    NAME-q8_0.gguf          made from the first by llama-quantize (needs --quantize PATH)
    NAME-q4_k_m.gguf        likewise

Usage: python make_models.py OUT [--sizes 135m,1.2b] [--quantize PATH/llama-quantize] [--seed 1] [--force]

Needs the packages numpy and gguf. Tensors are drawn and written one at a time: the peak is one tensor (about 1.6 GB
for the 1.2B model's embedding in f32), not one model.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

SPECIAL_TOKENS = ["<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"]
CONTEXT_LENGTH = 8192
RMS_EPS = 1e-5
SHARD_BYTES = 1 << 30


@dataclass(frozen=True)
class Shape:
    """The dimensions of one model, in psi's names (docs/notation.md)."""

    name: str
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_ff: int
    vocab_size: int
    rope_base: float

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads


SHAPES = {
    "135m": Shape("psi-135m", 576, 30, 9, 3, 1536, 49_152, 10_000.0),
    "1.2b": Shape("psi-1.2b", 2048, 16, 32, 8, 8192, 128_256, 500_000.0),
}


@dataclass(frozen=True)
class Tensor:
    """One weight under both of its names. `heads` > 0 marks a projection whose rows GGUF stores rotated pair by pair."""

    hf: str
    gguf: str
    shape: tuple[int, ...]
    heads: int = 0

    @property
    def n_elements(self) -> int:
        return int(np.prod(self.shape))

    @property
    def is_norm(self) -> bool:
        return len(self.shape) == 1


def tensors(s: Shape) -> list[Tensor]:
    """Every weight of a tied-embedding Llama, in the order both files store them."""
    d_kv = s.n_kv_heads * s.d_head
    out = [Tensor("model.embed_tokens.weight", "token_embd.weight", (s.vocab_size, s.d_model))]
    for i in range(s.n_layers):
        h, g = f"model.layers.{i}", f"blk.{i}"
        out += [
            Tensor(f"{h}.input_layernorm.weight", f"{g}.attn_norm.weight", (s.d_model,)),
            Tensor(f"{h}.self_attn.q_proj.weight", f"{g}.attn_q.weight", (s.d_model, s.d_model), s.n_heads),
            Tensor(f"{h}.self_attn.k_proj.weight", f"{g}.attn_k.weight", (d_kv, s.d_model), s.n_kv_heads),
            Tensor(f"{h}.self_attn.v_proj.weight", f"{g}.attn_v.weight", (d_kv, s.d_model)),
            Tensor(f"{h}.self_attn.o_proj.weight", f"{g}.attn_output.weight", (s.d_model, s.d_model)),
            Tensor(f"{h}.post_attention_layernorm.weight", f"{g}.ffn_norm.weight", (s.d_model,)),
            Tensor(f"{h}.mlp.gate_proj.weight", f"{g}.ffn_gate.weight", (s.d_ff, s.d_model)),
            Tensor(f"{h}.mlp.up_proj.weight", f"{g}.ffn_up.weight", (s.d_ff, s.d_model)),
            Tensor(f"{h}.mlp.down_proj.weight", f"{g}.ffn_down.weight", (s.d_model, s.d_ff)),
        ]
    out.append(Tensor("model.norm.weight", "output_norm.weight", (s.d_model,)))
    return out


def to_bf16(x: np.ndarray) -> np.ndarray:
    """f32 to bf16 bits (u16), rounding to nearest, ties to even."""
    bits = x.view(np.uint32)
    bits += np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (bits >> np.uint32(16)).astype(np.uint16)


def draw(t: Tensor, index: int, seed: int) -> np.ndarray:
    """The weight as bf16 bits: norms around one, matrices with standard deviation 1/sqrt(inputs)."""
    rng = np.random.Generator(np.random.PCG64([seed, index]))
    x = rng.standard_normal(t.n_elements, dtype=np.float32)
    x *= np.float32(0.05 if t.is_norm else t.shape[-1] ** -0.5)
    if t.is_norm:
        x += np.float32(1.0)
    return to_bf16(x).reshape(t.shape)


def gguf_rows(bits: np.ndarray, heads: int) -> np.ndarray:
    """Reorder a projection's rows from rotary halves (Hugging Face) to neighbouring pairs (GGUF's llama layout)."""
    if heads == 0:
        return bits
    half = bits.shape[0] // heads // 2
    return bits.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(bits.shape)


# --- tokenizer ------------------------------------------------------------------------------------------------------


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each of the 256 bytes, indexed by byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in printable]
    stand_in = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(rest)}
    return [stand_in[b] for b in range(256)]


def vocabulary(size: int) -> tuple[list[str], list[str]]:
    """A byte-level BPE vocabulary of exactly `size` tokens and its merges.

    Not learned: merges join letters into pairs, pairs and letters into triples, then pairs and pairs into quadruples, in
    order of English letter frequency, so that text is split into pieces of realistic length. No piece is made twice.
    """
    alphabet = byte_alphabet()
    letters = list("etaoinshrdlcumwfgypbvkjxqz")
    space = alphabet[ord(" ")]
    inner = [(a, b) for a in letters for b in letters]
    pairs = [(space, b) for b in letters] + inner
    triples = [(a + b, c) for a, b in pairs for c in letters]
    quads = ((a + b, c + d) for c, d in inner for a, b in pairs)
    wanted = size - len(alphabet) - len(SPECIAL_TOKENS)
    merges: list[tuple[str, str]] = (pairs + triples)[:wanted]
    merges += [m for m, _ in zip(quads, range(wanted - len(merges)))]
    tokens = alphabet + [a + b for a, b in merges] + SPECIAL_TOKENS
    assert len(tokens) == size == len(set(tokens)), f"{size} tokens wanted, {len(set(tokens))} made"
    return tokens, [f"{a} {b}" for a, b in merges]


def tokenizer_json(tokens: list[str], merges: list[str]) -> dict:
    """The vocabulary as a Hugging Face tokenizer.json: GPT-2's pre-tokenizer, byte-level BPE."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    first_special = len(tokens) - len(SPECIAL_TOKENS)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": first_special + i, "content": t, **flags} for i, t in enumerate(SPECIAL_TOKENS)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {t: i for i, t in enumerate(tokens)},
            "merges": merges,
        },
    }


# --- the two writers ------------------------------------------------------------------------------------------------


def gguf_writer(path: Path, s: Shape, tokens: list[str], merges: list[str]) -> gguf.GGUFWriter:
    """A GGUF writer with metadata, tokenizer and tensor headers written; the data follow in tensor order."""
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(s.name)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    w.add_vocab_size(s.vocab_size)
    w.add_context_length(CONTEXT_LENGTH)
    w.add_embedding_length(s.d_model)
    w.add_block_count(s.n_layers)
    w.add_feed_forward_length(s.d_ff)
    w.add_head_count(s.n_heads)
    w.add_head_count_kv(s.n_kv_heads)
    w.add_rope_dimension_count(s.d_head)
    w.add_rope_freq_base(s.rope_base)
    w.add_layer_norm_rms_eps(RMS_EPS)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    first_special = len(tokens) - len(SPECIAL_TOKENS)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([normal if i < first_special else control for i in range(len(tokens))])
    w.add_token_merges(merges)
    w.add_bos_token_id(first_special)
    w.add_eos_token_id(first_special + 1)
    w.add_pad_token_id(first_special + 2)
    w.add_add_bos_token(False)
    for t in tensors(s):
        if t.is_norm:
            w.add_tensor_info(t.gguf, t.shape, np.dtype(np.float32), t.n_elements * 4)
        else:
            bf16 = gguf.GGMLQuantizationType.BF16
            # With raw_dtype given, gguf takes the shape in bytes of the stored type.
            byte_shape = (*t.shape[:-1], t.shape[-1] * 2)
            w.add_tensor_info(t.gguf, byte_shape, np.dtype(np.uint8), t.n_elements * 2, raw_dtype=bf16)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    return w


def shards(all_tensors: list[Tensor]) -> list[list[Tensor]]:
    """Split the tensors into runs of at most SHARD_BYTES each, as published checkpoints are."""
    out: list[list[Tensor]] = [[]]
    filled = 0
    for t in all_tensors:
        if filled and filled + 2 * t.n_elements > SHARD_BYTES:
            out.append([])
            filled = 0
        out[-1].append(t)
        filled += 2 * t.n_elements
    return out


def safetensors_header(shard: list[Tensor]) -> bytes:
    """Length-prefixed JSON header of one safetensors file, padded with spaces to a multiple of eight bytes."""
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for t in shard:
        end = offset + 2 * t.n_elements
        header[t.hf] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_hf_metadata(folder: Path, s: Shape, tokens: list[str], merges: list[str]) -> None:
    """config.json, generation_config.json, tokenizer.json and tokenizer_config.json."""
    bos = len(tokens) - len(SPECIAL_TOKENS)
    special = {"bos_token_id": bos, "eos_token_id": bos + 1, "pad_token_id": bos + 2}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "torch_dtype": "bfloat16",
        "hidden_size": s.d_model,
        "intermediate_size": s.d_ff,
        "num_hidden_layers": s.n_layers,
        "num_attention_heads": s.n_heads,
        "num_key_value_heads": s.n_kv_heads,
        "head_dim": s.d_head,
        "vocab_size": s.vocab_size,
        "max_position_embeddings": CONTEXT_LENGTH,
        "rms_norm_eps": RMS_EPS,
        "rope_theta": s.rope_base,
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        **special,
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL_TOKENS[0],
        "eos_token": SPECIAL_TOKENS[1],
        "pad_token": SPECIAL_TOKENS[2],
        "model_max_length": CONTEXT_LENGTH,
        "clean_up_tokenization_spaces": False,
    }
    documents = {
        "config.json": config,
        "generation_config.json": special,
        "tokenizer.json": tokenizer_json(tokens, merges),
        "tokenizer_config.json": tokenizer_config,
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


def write_model(s: Shape, out: Path, seed: int) -> None:
    """Draw every weight once and write it to the GGUF file and to its safetensors shard."""
    tokens, merges = vocabulary(s.vocab_size)
    folder = out / f"{s.name}-hf"
    folder.mkdir(parents=True, exist_ok=True)
    write_hf_metadata(folder, s, tokens, merges)
    unfinished = out / f"{s.name}-bf16.gguf.part"
    writer = gguf_writer(unfinished, s, tokens, merges)
    groups = shards(tensors(s))
    weight_map = {}
    index = 0
    for n, shard in enumerate(groups):
        single = len(groups) == 1
        name = "model.safetensors" if single else f"model-{n + 1:05}-of-{len(groups):05}.safetensors"
        with open(folder / name, "wb") as file:
            file.write(safetensors_header(shard))
            for t in shard:
                bits = draw(t, index, seed)
                file.write(bits.data)
                stored = (bits.astype(np.uint32) << 16).view(np.float32) if t.is_norm else gguf_rows(bits, t.heads)
                writer.write_tensor_data(np.ascontiguousarray(stored))
                weight_map[t.hf] = name
                index += 1
    writer.close()
    if len(groups) > 1:
        total = sum(2 * t.n_elements for t in tensors(s))
        listing = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(listing, indent=1), encoding="utf-8")
    unfinished.rename(out / f"{s.name}-bf16.gguf")


def quantize(program: Path, source: Path, target: Path, kind: str) -> None:
    """Run llama-quantize; show its output only when it fails."""
    unfinished = target.with_suffix(".part")
    done = subprocess.run([program, source, unfinished, kind], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"llama-quantize failed on {source} ({kind}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    unfinished.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="folder for the models (created)")
    parser.add_argument("--sizes", default=",".join(SHAPES), help=f"comma-separated, of {', '.join(SHAPES)}")
    parser.add_argument("--quantize", type=Path, help="path of llama-quantize; without it only BF16 is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--force", action="store_true", help="make files again that are there already")
    args = parser.parse_args()
    unknown = [k for k in args.sizes.split(",") if k not in SHAPES]
    if unknown:
        parser.error(f"unknown size {unknown[0]}; known: {', '.join(SHAPES)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for key in args.sizes.split(","):
        s = SHAPES[key]
        source = args.out / f"{s.name}-bf16.gguf"
        if args.force or not source.exists():
            print(f"{source}: drawing {sum(t.n_elements for t in tensors(s)):,} weights", flush=True)
            write_model(s, args.out, args.seed)
        for kind in ("Q8_0", "Q4_K_M") if args.quantize else ():
            target = args.out / f"{s.name}-{kind.lower()}.gguf"
            if args.force or not target.exists():
                print(f"{target}: quantising", flush=True)
                quantize(args.quantize, source, target, kind)
    if not args.quantize:
        print("no --quantize given: the Q8_0 and Q4_K_M files were not made")


if __name__ == "__main__":
    main()
