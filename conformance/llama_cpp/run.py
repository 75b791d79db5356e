"""Runs the generic part of llama.cpp's server tests against psi and compares with the list of expected failures.

    run.py --psi PROGRAM --model FOLDER [--sources FOLDER] [TEST...]

The tests start `llama-server` in the way that their harness knows; the shim beside this file starts psi instead. MODEL is the
260K-parameter model that most of them are written for, as a folder.
"""

import argparse
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from server import longer  # noqa: E402
from suites import expected, outcomes, verdict  # noqa: E402

# The package that has llama.cpp's sources, and where its tests are in it.
PACKAGE, VERSION = "llama-cpp-python", "0.3.36"
TESTS = pathlib.Path("vendor/llama.cpp/tools/server/tests")
# What is about HTTP, OpenAI's and Anthropic's routes, templates and tokens. The other files are about llama.cpp itself: its
# own `/completion` and slots, model files of many megabytes, infilling, reranking, its router, its page and its tools.
FILES = ["test_basic.py", "test_security.py", "test_chat_completion.py", "test_compat_oai_responses.py",
         "test_compat_anthropic.py", "test_tokenize.py", "test_template.py"]


def sources(folder):
    """The folder of the tests, from the unpacked source package."""
    root = folder / f"{PACKAGE.replace('-', '_')}-{VERSION}"
    if not root.is_dir():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PACKAGE]
        subprocess.run([*download, f"{PACKAGE}=={VERSION}"], cwd=folder, check=True)
        with tarfile.open(folder / f"{root.name}.tar.gz") as archive:
            wanted = f"{root.name}/vendor/llama.cpp/"
            parts = (f"{wanted}tools/server/tests", f"{wanted}models/templates")
            archive.extractall(folder, [m for m in archive.getmembers() if m.name.startswith(parts)], filter="data")
    return root / TESTS


def run(arguments, scratch):
    tests = sources(pathlib.Path(arguments.sources or scratch))
    models = scratch / "models"
    models.mkdir()
    longer(pathlib.Path(arguments.model), models / "stories260K", 8192)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "PSI": str(pathlib.Path(arguments.psi).resolve()), "PSI_MODELS": str(models),
                   "LLAMA_SERVER_BIN_PATH": str(HERE / "llama-server"), "PYTHONPATH": f"{HERE}:{tests}"}
    report, log = scratch / "report.xml", scratch / "log.txt"
    chosen = arguments.test or [f"unit/{file}" for file in FILES]
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "--tb=short", "-p", "presets", "-p", "no:cacheprovider",
               f"--junitxml={report}", *chosen]
    subprocess.run(command, cwd=tests, env=environment, stdout=log.open("w"), stderr=subprocess.STDOUT)
    if arguments.test or not report.is_file():
        print(log.read_text())
    return outcomes(report, "unit.")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--psi", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--sources")
    parser.add_argument("test", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = run(arguments, pathlib.Path(scratch))
    raise SystemExit(verdict(f"llama.cpp's server tests of {PACKAGE} {VERSION}", found, expected("llama_cpp")))


if __name__ == "__main__":
    main()
