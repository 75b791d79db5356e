"""lm-eval against psi: every log-likelihood is what transformers gives for the same checkpoint.

    lm_eval_check.py --psi PROGRAM --model FOLDER [--torch PYTHON]

What transformers gives is committed in lm_eval_golden.json; with --torch, a Python that has torch and transformers writes it anew.
lm_eval itself needs neither: it asks psi for tokens.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from server import serving

GOLDEN = pathlib.Path(__file__).with_name("lm_eval_golden.json")
QUESTIONS = [
    ("Once upon a time, there was a little girl named", [" Lily", " Tom", " the", " car and a big red ball"]),
    ("The dog was very", [" happy", " sad because he lost his bone", " green", " and"]),
    ("Tom and his mom went to the", [" park", " store to buy some milk", " moon", " is"]),
    ("She saw a big", [" tree", " cat in the garden", " yesterday", " of"]),
    ("They all lived happily", [" ever after", " the end", " blue", " in a small house near the river"]),
]
TASK = """task: psi_tiny
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: 0
target_delimiter: ""
metric_list: [{{metric: acc}}]
metadata: {{version: 1}}
"""
# Log-likelihood of each continuation after its context, from token ids on standard input.
ORACLE = """
import json, sys, torch, transformers
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], torch_dtype=torch.float32).eval()
out = []
with torch.no_grad():
    for context, whole in json.load(sys.stdin):
        logits = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        n = len(context)
        rows = range(n - 1, len(whole) - 1)
        out.append([sum(logits[i, whole[i + 1]].item() for i in rows), all(logits[i].argmax().item() == whole[i + 1] for i in rows)])
json.dump(out, sys.stdout)
"""


def tokens(address, text):
    body = json.dumps({"prompt": text, "add_special_tokens": False}).encode()
    request = urllib.request.Request(f"{address}/tokenize", body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["tokens"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--psi", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--torch")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, serving(arguments.psi, ["--model", f"tiny={arguments.model}"]) as address:
        scratch = pathlib.Path(scratch)
        rows = [json.dumps({"text": text, "choices": choices}) for text, choices in QUESTIONS]
        (scratch / "data.jsonl").write_text("\n".join(rows))
        (scratch / "psi_tiny.yaml").write_text(TASK.format(data=scratch / "data.jsonl"))
        options = f"model=tiny,base_url={address}/v1/completions,tokenizer_backend=remote,tokenized_requests=True,max_length=512"
        command = [sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args", options, "--tasks", "psi_tiny", "--batch_size", "4",
                   "--include_path", str(scratch), "--output_path", str(scratch / "out"), "--log_samples"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        samples = [json.loads(line) for file in scratch.glob("out/**/samples_*.jsonl") for line in file.read_text().splitlines()]
        samples.sort(key=lambda sample: sample["doc_id"])
        pairs, got = [], []
        for sample, (text, choices) in zip(samples, QUESTIONS, strict=True):
            for choice, response in zip(choices, sample["filtered_resps"], strict=True):
                pairs.append([tokens(address, text), tokens(address, text + choice)])
                got.append((float(response[0]), str(response[1]) == "True"))
    if arguments.torch:
        oracle = [arguments.torch, "-c", ORACLE, arguments.model]
        output = subprocess.run(oracle, input=json.dumps(pairs), capture_output=True, text=True, check=True).stdout
        GOLDEN.write_text(json.dumps({"tokens": pairs, "log_likelihoods": json.loads(output)}, indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    assert golden["tokens"] == pairs, "the tokens are not those that the golden file was made from"
    want = golden["log_likelihoods"]
    # Both compute in 32 bits: the difference is counted per token of the continuation, or relative to a large sum.
    scale = [max(1.0, abs(b), len(whole) - len(context)) for (b, _), (context, whole) in zip(want, pairs, strict=True)]
    worst = max(abs(a - b) / s for (a, _), (b, _), s in zip(got, want, scale, strict=True))
    greedy = sum(a == b for (_, a), (_, b) in zip(got, want, strict=True))
    print(f"lm_eval local-completions: {len(got)} log-likelihoods, largest difference {worst:.1e}, {greedy} of {len(got)} greedy flags agree")
    raise SystemExit(0 if worst <= 1e-6 and greedy == len(got) else 1)


if __name__ == "__main__":
    main()
