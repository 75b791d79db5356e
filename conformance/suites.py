"""Runs the test files of a client's source package against psi and compares with the list of expected failures.

    suites.py openai|anthropic --psi PROGRAM --model FOLDER [--sources FOLDER]
"""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as xml

from server import CHATML, longer, serving

HERE = pathlib.Path(__file__).resolve().parent

# A name that the openai suite deletes as if it were a fine-tuned model: an adapter of a model.
TUNED, ADAPTER = "ft:gpt-4o-mini:acemeco:suffix", "abc123"

# Of each package: its version, the files of routes that psi has, those of their tests that ask a mock, the models that they name, what
# follows the address.
SUITES = {
    "openai": {
        "version": "3.54.0",
        "files": ["chat", "test_completions.py", "test_embeddings.py", "test_models.py", "test_responses.py",
                  "test_conversations.py", "conversations/test_items.py",
                  "responses/test_input_items.py", "responses/test_input_tokens.py"],
        "mocked": "nothing",
        "models": ["gpt-6-astra", "gpt-3.5-turbo-instruct", "text-embedding-3-small", "model", TUNED],
        "base": "/v1",
    },
    "anthropic": {
        "version": "2.12.0",
        "files": ["test_messages.py", "test_models.py", "beta/test_messages.py", "beta/test_models.py",
                  "messages/test_batches.py", "beta/messages/test_batches.py"],
        "mocked": "test_batches and results",
        "models": ["claude-opus-5-5", "model_id", "after_id", "between", "before_id"],
        "base": "",
    },
}


def sources(name, suite, folder):
    """The unpacked source package."""
    root = folder / f"{name}-{suite['version']}"
    if not root.is_dir():
        package = f"{name}=={suite['version']}"
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", package]
        subprocess.run(download, cwd=folder, check=True)
        with tarfile.open(folder / f"{name}-{suite['version']}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return root


def expected(name):
    """Function names that are to fail, with their reasons."""
    lines = (HERE / name / "expected_failures.txt").read_text().splitlines()
    pairs = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "every line needs its reason"
    return {test: reason for test, reason in pairs}


def write_adapter(folder, width):
    """A LoRA adapter of one layer that changes nothing."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    header, n_bytes = {}, 4 * width
    for i, (part, shape) in enumerate([("A", [1, width]), ("B", [width, 1])]):
        name = f"base_model.model.model.layers.0.self_attn.q_proj.lora_{part}.weight"
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [i * n_bytes, (i + 1) * n_bytes]}
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(2 * n_bytes))


def run(name, suite, root, address, store):
    """Outcome per function: a function fails when it fails with any of its parameters."""
    report = store / "report.xml"
    tests = [f"tests/api_resources/{file}" for file in suite["files"]]
    environment = {**os.environ, "TEST_API_BASE_URL": address + suite["base"], "PSI_STORE": str(store),
                   "PSI_SEED_MODEL": suite["models"][0], "PYTHONPATH": f"{HERE}:{root}/src", "PSI_ADDRESS": address,
                   "PSI_ADAPTER": f"{TUNED}:{ADAPTER}" if TUNED in suite["models"] else ""}
    command = [sys.executable, "-m", "pytest", "-q", "-k", f"not ({suite['mocked']})", "--tb=line", "-o", "addopts=",
               "-p", "seed", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    log = store / "log.txt"
    subprocess.run(command, cwd=root, env=environment, stdout=log.open("w"), stderr=subprocess.STDOUT)
    if not report.is_file():
        raise SystemExit(f"{log.read_text()}\nthe suite did not run")
    return outcomes(report, "tests.api_resources.")


def outcomes(report, prefix):
    """Whether each function of a report failed, by file and name; one fails when it fails with any of its parameters."""
    found = {}
    for case in xml.parse(report).getroot().iter("testcase"):
        function = f"{case.get('classname').replace(prefix, '')}::{case.get('name').split('[')[0]}"
        failed = case.find("failure") is not None or case.find("error") is not None
        found[function] = found.get(function, False) or failed
    return found


def verdict(name, found, known):
    """Prints how many functions fail and where that is not as listed; the exit status."""
    failures = {test for test, failed in found.items() if failed}
    for test in sorted(failures - known.keys()):
        print("fails, and is not listed:", test)
    for test in sorted(known.keys() - failures):
        print("listed, but does not fail:", test)
    print(f"{name}: {len(found)} functions, {len(failures)} fail ({len(failures) / len(found):.1%})")
    return 0 if failures == set(known) else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SUITES)
    parser.add_argument("--psi", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--sources")
    arguments = parser.parse_args()
    suite = SUITES[arguments.name]
    if arguments.name == "anthropic":
        from anthropic.resources.messages import DEPRECATED_MODELS

        suite["models"].extend(DEPRECATED_MODELS)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "store").mkdir()
        (scratch / "chatml.jinja").write_text(CHATML)
        model = longer(pathlib.Path(arguments.model), scratch / "model")
        root = sources(arguments.name, suite, pathlib.Path(arguments.sources or scratch))
        flags = [flag for name in suite["models"] for flag in ("--model", f"{name}={model}")]
        write_adapter(scratch / "adapters" / ADAPTER, json.loads((model / "config.json").read_text())["hidden_size"])
        flags += ["--adapters", str(scratch / "adapters"), "--store", str(scratch / "store"), "--chat-template", str(scratch / "chatml.jinja")]
        with serving(arguments.psi, flags) as address:
            found = run(arguments.name, suite, root, address, scratch / "store")
    raise SystemExit(verdict(f"{arguments.name} {suite['version']}", found, expected(arguments.name)))


if __name__ == "__main__":
    main()
