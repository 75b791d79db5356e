"""schemathesis over psi's own /openapi.json: no 5xx, and every answer as its schema says.

That every bad request is refused is not asked: serde takes a list of an inner object's fields, and the number of a `type`.

    schema_check.py --psi PROGRAM --model FOLDER [--examples N]
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from server import CHATML, serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--psi", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--examples", default="30")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        template = pathlib.Path(scratch) / "chatml.jinja"
        template.write_text(CHATML)
        flags = ["--model", f"tiny={arguments.model}", "--chat-template", str(template), "--context", "128"]
        with serving(arguments.psi, flags) as address:
            program = pathlib.Path(sys.executable).with_name("schemathesis")
            command = [program, "run", f"{address}/openapi.json", "--url", address, "--checks", CHECKS, "--max-examples",
                       arguments.examples, "--phases", "examples,coverage,fuzzing", "--seed", "1", "--request-timeout", "60",
                       "--continue-on-failure"]
            raise SystemExit(subprocess.run(command, cwd=scratch).returncode)


if __name__ == "__main__":
    main()
