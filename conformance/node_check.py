"""The openai package for node against psi: node_check.py --psi PROGRAM --model FOLDER. Skipped, and said so, without node."""

import argparse
import pathlib
import shutil
import subprocess
import tempfile

from server import CHATML, longer, serving

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--psi", required=True)
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    if shutil.which("npm") is None:
        print("openai for node: skipped, there is no npm")
        return
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for file in ["package.json", "tool_loop.mjs"]:
            shutil.copy(HERE / "node" / file, scratch)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=scratch, check=True)
        (scratch / "chatml.jinja").write_text(CHATML)
        model = longer(pathlib.Path(arguments.model), scratch / "model")
        flags = ["--model", f"tiny={model}", "--chat-template", str(scratch / "chatml.jinja")]
        with serving(arguments.psi, flags) as address:
            subprocess.run(["node", "tool_loop.mjs", f"{address}/v1", "tiny"], cwd=scratch, check=True)


if __name__ == "__main__":
    main()
