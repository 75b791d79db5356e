"""Converts a selection of `models/` to GGUF with llama.cpp's `convert_hf_to_gguf.py`, each with a
tiny tokenizer trained here, and records the logits that the GGUF file can express.

Needs a llama.cpp source tree: set `LLAMA_CPP_SRC`. Writes `gguf/<name>.gguf` and `gguf/index.json`;
where GGUF has no key for something in the configuration (Gemma's `query_pre_attn_scalar`, the window
of llama-shaped models) the expected logits are computed without it and stored beside the file.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import runpy
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

import regenerate

HERE = Path(__file__).resolve().parent
VOCAB = 96

# name -> (tokenizer, --outtype, configuration keys that GGUF cannot say)
SELECTION: dict[str, tuple[str, str, dict]] = {
    "llama3": ("bpe", "f32", {}),
    "llama_yarn": ("spm", "f32", {}),
    "qwen2_tied": ("bpe", "bf16", {}),
    "qwen3": ("bpe", "f32", {}),
    # The converter writes no RoPE base for Gemma 2; readers assume 10,000.
    "gemma2": ("spm", "f32", {"query_pre_attn_scalar": "head_dim", "rope_parameters": dict(rope_theta=1e4, rope_type="default")}),
    "gemma3": ("spm", "f32", {"query_pre_attn_scalar": "head_dim"}),
    "phi4_mini": ("bpe", "f16", {}),
    "smollm3": ("bpe", "f32", {}),
    "olmo2": ("bpe", "f32", {}),
    "gpt2": ("bpe", "f32", {}),
    "mixtral": ("spm", "f32", {"sliding_window": None}),
    "qwen3_moe_all": ("bpe", "f32", {}),
}
# The converter recognises a BPE pre-tokenizer by a hash of a real model's tokenizer; ours is named here.
PRE_TOKENIZER = {"llama3": "llama-bpe", "smollm3": "smaug-bpe", "phi4_mini": "gpt-4o", "gpt2": "gpt-2", "olmo2": "dbrx"}

TEXT = """the quick brown fox jumps over the lazy dog and then the dog sleeps in the sun
a small model reads a small text and learns the small words of the text again and again
pack my box with five dozen liquor jugs; how vexingly quick daft zebras jump, said the fox
where there is rain there are rivers, and where there are rivers there are bridges and boats
"""


def write_bpe(folder: Path, model_type: str) -> None:
    """A byte-level BPE of 96 tokens (only the bytes of `TEXT`), as `tokenizer.json`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True) for t in ("<pad>", "<s>", "</s>")]
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    assert tokenizer.get_vocab_size() == VOCAB
    tokenizer.save(str(folder / "tokenizer.json"))
    config = dict(
        tokenizer_class="GPT2Tokenizer" if model_type == "phi3" else "PreTrainedTokenizerFast",
        bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<pad>", add_bos_token=False,
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def write_spm(folder: Path) -> None:
    """A SentencePiece BPE model of 96 pieces without byte fallback."""
    import sentencepiece

    data = io.BytesIO()
    with open(os.devnull, "w") as quiet, contextlib.redirect_stderr(quiet):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT.splitlines()), model_writer=data, model_type="bpe",
            vocab_size=VOCAB, num_threads=1, minloglevel=2,
        )
    (folder / "tokenizer.model").write_bytes(data.getvalue())


def convert(name: str, source: Path, llama_cpp: Path, target: Path) -> None:
    tokenizer, outtype, _ = SELECTION[name]
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp) / name
        folder.mkdir()
        for file in source.glob("model*.safetensors*"):
            (folder / file.name).write_bytes(file.read_bytes())
        config = json.loads((source / "config.json").read_text())
        if name == "gpt2":
            config["n_ctx"] = config["n_positions"]  # the converter reads a key that transformers 5 no longer writes
        (folder / "config.json").write_text(json.dumps(config))
        write_spm(folder) if tokenizer == "spm" else write_bpe(folder, config["model_type"])
        run_converter(llama_cpp, folder, target, outtype, PRE_TOKENIZER.get(name, "qwen2"))


def run_converter(llama_cpp: Path, folder: Path, target: Path, outtype: str, pre: str) -> None:
    sys.path.insert(0, str(llama_cpp))
    from conversion import base

    base.TextModel.get_vocab_base_pre = lambda _self, _tokenizer: pre
    argv = sys.argv
    sys.argv = ["convert_hf_to_gguf.py", str(folder), "--outfile", str(target), "--outtype", outtype]
    try:
        logging.disable(logging.INFO)
        runpy.run_path(str(llama_cpp / "convert_hf_to_gguf.py"), run_name="__main__")
    finally:
        logging.disable(logging.NOTSET)
        sys.argv = argv
        sys.path.remove(str(llama_cpp))


def expressible_logits(source: Path, changes: dict) -> torch.Tensor:
    """Case 0's logits with the keys GGUF cannot carry set to what its readers assume."""
    from architectures import EAGER

    config = transformers.AutoConfig.from_pretrained(source)
    for key, value in changes.items():
        setattr(config, key, getattr(config, value) if isinstance(value, str) else value)
    model = transformers.AutoModelForCausalLM.from_pretrained(source, config=config, dtype=torch.float32, **EAGER).eval()
    ids = json.loads((source / "golden.json").read_text())["cases"][0]["ids"]
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].contiguous()


def build(out: Path) -> list[str]:
    llama_cpp = os.environ.get("LLAMA_CPP_SRC")
    if not llama_cpp:
        print("skipped: LLAMA_CPP_SRC does not name a llama.cpp source tree")
        return []
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder = out / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    index = {}
    for name, (_, _, changes) in SELECTION.items():
        source, target = HERE / "models" / name, folder / f"{name}.gguf"
        convert(name, source, Path(llama_cpp), target)
        index[name] = dict(file=f"gguf/{name}.gguf", ids=f"models/{name}/golden.json", logits=f"models/{name}/golden.safetensors")
        if changes:
            save_file({"logits.0": expressible_logits(source, changes)}, folder / f"{name}.golden.safetensors")
            index[name]["logits"] = f"gguf/{name}.golden.safetensors"
        print(f"{name:12} {target.stat().st_size:7} bytes")
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    return ["gguf"]


if __name__ == "__main__":
    regenerate.run(build, HERE, __doc__)
