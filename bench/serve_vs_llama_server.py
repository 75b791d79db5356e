"""Compare psi's server with llama.cpp's llama-server under the same load, in one alternating run, against the bars.

Each round starts one server after the other (psi, llama-server, psi, ...) on the same GGUF file with the same number of
threads, lets `psi bench serve --url` send it the same requests (token ids, greedy, no early end), and stops it. The load
generator is the same program for both. llama-server runs with continuous batching, its prompt cache, flash attention on and
as many slots as clients; the better of its runs with and without flash attention counts.

Usage:
    bench/llama_cpp.sh PEER native server                                   (once; builds PEER/bin/llama-server)
    python bench/serve_vs_llama_server.py --psi target/release/psi --llama-server PEER/bin/llama-server \\
        --model MODELS/psi-135m-q8_0.gguf [--threads 2] [--rounds 3] [--clients 1,8,32] [--json OUT]

Standard library only. Exit status: 0 every bar held, 1 a bar was missed, 2 wrong usage or a server that does not start.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

PROMPT, GEN = 128, 128
SHARED = 2000
BARS = {1: 1.2, 8: 2.5, 32: 3.0}
FIRST_TOKEN_BAR = 0.5
START_SECONDS = 120


class Missing(Exception):
    """A measurement that could not be made, with the reason."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def server(command: list[str], port: int, ready: str) -> Iterator[str]:
    """Runs a server until the block ends; its address."""
    # A file: a pipe that nobody reads would stop a server that logs much.
    log = tempfile.TemporaryFile()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if child.poll() is not None:
                log.seek(0)
                last = (log.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
                raise Missing(f"{command[0]} ended at once: {last[:200]}")
            try:
                with urllib.request.urlopen(url + ready, timeout=2) as answer:
                    if answer.status == 200:
                        break
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise Missing(f"{command[0]} is not ready after {START_SECONDS} s")
            time.sleep(0.2)
        yield url
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        log.close()


def load(args: argparse.Namespace, url: str, clients: int, prefix: int, seed: int) -> dict:
    """What `psi bench serve` says of one level."""
    command = [args.psi, "bench", "serve", "--url", url, "--model-name", "bench", "--concurrency", str(clients), "--prompt", str(PROMPT), "--gen", str(GEN)]
    command += ["--prefix", str(prefix), "--requests", str(max(2, clients)), "--warmup", "--seed", str(seed), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"psi bench serve: {done.stderr.strip()[:300]}")
    return json.loads(done.stdout)["levels"][0]


def psi_command(args: argparse.Namespace, clients: int, port: int) -> list[str]:
    command = [args.psi, "serve", "--model", f"bench={args.model}", "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--threads", str(args.threads), "--max-batch", str(clients)]


def llama_command(args: argparse.Namespace, clients: int, port: int, flash: str) -> list[str]:
    context = clients * (SHARED + PROMPT + GEN + 64)
    command = [args.llama_server, "-m", args.model, "--host", "127.0.0.1", "--port", str(port), "-t", str(args.threads)]
    return [*command, "-tb", str(args.threads), "-np", str(clients), "-c", str(context), "-fa", flash, "--no-webui"]


def rounds(args: argparse.Namespace, clients: int, prefix: int) -> dict[str, list[dict]]:
    """Samples of both servers, alternating."""
    found: dict[str, list[dict]] = {"psi": [], "llama on": [], "llama off": []}
    for i in range(args.rounds):
        for name in found:
            port = free_port()
            flash = name.removeprefix("llama ")
            command = psi_command(args, clients, port) if name == "psi" else llama_command(args, clients, port, flash)
            ready = "/ready" if name == "psi" else "/health"
            with server(command, port, ready) as url:
                found[name].append(load(args, url, clients, prefix, seed=100 * clients + i))
    return found


def median(samples: list[dict], *keys: str) -> float:
    values = []
    for sample in samples:
        value = sample
        for key in keys:
            value = value[key]
        values.append(value)
    return statistics.median(values)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--psi", required=True)
    parser.add_argument("--llama-server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--json")
    args = parser.parse_args()
    clients = [int(n) for n in args.clients.split(",")]
    if not all(n in BARS for n in clients) or not Path(args.model).exists():
        parser.error("--clients takes some of 1, 8 and 32, --model a file that exists")
    rows, held = [], True
    try:
        for n in clients:
            for prefix in (0, SHARED):
                found = rounds(args, n, prefix)
                peers = {k: v for k, v in found.items() if k != "psi"}
                rate = median(found["psi"], "total_tokens_per_s")
                peer_rate = max(median(v, "total_tokens_per_s") for v in peers.values())
                first = median(found["psi"], "first_token_ms", "p50")
                peer_first = min(median(v, "first_token_ms", "p50") for v in peers.values())
                bar = BARS[n]
                row = {"clients": n, "prefix": prefix, "psi": rate, "llama": peer_rate, "ratio": rate / peer_rate, "bar": bar}
                row |= {"psi_first_ms": first, "llama_first_ms": peer_first, "first_ratio": first / peer_first, "samples": found}
                # The throughput bars are about requests that share nothing; the first token's holds under load.
                ok = (prefix > 0 or row["ratio"] >= bar) and (n == 1 or row["first_ratio"] <= FIRST_TOKEN_BAR)
                held &= ok
                rows.append(row)
                print(
                    f"{n:3} clients, prefix {prefix:4}: psi {rate:7.0f} tok/s, llama-server {peer_rate:7.0f}, {row['ratio']:.2f}x (bar {bar}); "
                    f"first token {first:6.0f} ms against {peer_first:6.0f} ms, {row['first_ratio']:.2f}x  {'held' if ok else 'MISSED'}",
                    flush=True,
                )
    except Missing as e:
        print(f"serve_vs_llama_server: {e}", file=sys.stderr)
        return 2
    if args.json:
        Path(args.json).write_text(json.dumps({"threads": args.threads, "rows": rows}, indent=2) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
