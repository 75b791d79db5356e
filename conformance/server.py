"""Starts psi serve on a free port and waits until its model answers."""

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.request

# A plain ChatML template, for models that have none.
CHATML = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
)


def longer(model, copy, n_tokens=4096):
    """The model with a context of so many tokens: the suites ask for answers longer than its own. What it says is of no matter."""
    shutil.copytree(model, copy, copy_function=shutil.copyfile)
    config = copy / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": n_tokens}))
    return copy


@contextlib.contextmanager
def serving(psi, arguments):
    """Yields the server's address without a path; ends the server politely and checks that it does end."""
    command = [psi, "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = None
        for line in process.stderr:
            found = re.search(r"serving at (http://\S+)/v1", line)
            if found:
                address = found.group(1)
                break
            print("psi:", line.rstrip())
        if address is None:
            raise SystemExit(f"psi did not start: {process.wait()}")
        for _ in range(100):
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"{address}/ready").status == 200:
                    break
            time.sleep(0.1)
        yield address
        if process.poll() is not None:
            raise SystemExit(f"psi ended while it was asked: {process.returncode}")
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)[1]
        bad = [line for line in rest.splitlines() if "panicked" in line]
        if bad:
            raise SystemExit("psi panicked:\n" + "\n".join(bad))
