#!/usr/bin/env python3
"""The assistant with very many conversations: start-up, pages, search, first token. Nothing but Python is needed.

    bench/assistant.py PROGRAM [--conversations 10000] [--home FOLDER] [--json]

Fills a home folder with made-up conversations of 50 messages through the page's own import, starts psi again, and
measures what a browser would wait for. FOLDER is kept and used again; without one everything is temporary.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import tempfile
import time

MESSAGES = 50
WORDS_PER_MESSAGE = 40
BATCH = 200
# A vocabulary with Zipf's law: common words find half of everything, rare ones a handful of messages.
VOCABULARY = [a + b + c for a in "bdfghklmnprstvz" for b in "aeiou" for c in ["", "ran", "lit", "mos", "ken", "tave", "rim", "shol", "dun", "pex"]]
QUESTIONS = ["What is 12 * 12?", "How many days are there from 2026-03-14 to 2026-12-25?", "Where does Ana live?",
             "How many kilometres are 26.2 miles?", "What is 1234 * 5678?", "Who is my sister?"]


class Psi:
    """A running `psi up`; `start_ms` is what passed between its start and its first whole page."""

    def __init__(self, program, home):
        environment = dict(os.environ, PSI_HOME=home)
        started = time.monotonic()
        self.process = subprocess.Popen([program, "up", "--no-open", "--port", "0"], env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.port = int(line.strip().rstrip("/").rsplit(":", 1)[1])
        page = self.get("/")
        self.start_ms = (time.monotonic() - started) * 1e3
        self.csrf = page.split('name="csrf" content="', 1)[1].split('"', 1)[0]

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        headers = {"x-psi-csrf": getattr(self, "csrf", ""), "content-type": "application/json"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, f"{method} {path}: {answer.status} {text[:300]}"
        return text

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, value):
        return json.loads(self.ask("POST", path, json.dumps(value)))

    def stop(self):
        self.process.kill()
        self.process.wait()


def fill(psi, n_conversations):
    draw = random.Random(7)
    weights = [1 / (rank + 1) for rank in range(len(VOCABULARY))]

    def message(number):
        words = draw.choices(VOCABULARY, weights, k=WORDS_PER_MESSAGE)
        role = "user" if number % 2 == 0 else "assistant"
        return {"id": number, "parent": number - 1 if number else None, "role": role, "state": "complete",
                "content": " ".join(words), "created_at": number}

    for first in range(0, n_conversations, BATCH):
        many = [{"title": f"conversation {c}", "created_at": c, "messages": [message(i) for i in range(MESSAGES)]}
                for c in range(first, min(first + BATCH, n_conversations))]
        psi.post("/api/import?name=bench.json", {"format": "psi-conversations", "version": 1, "conversations": many})


def timed(work, inputs):
    times = []
    for one in inputs:
        started = time.monotonic()
        work(one)
        times.append((time.monotonic() - started) * 1e3)
    times.sort()
    return {"median": times[len(times) // 2], "p95": times[len(times) * 95 // 100], "max": times[-1]}


def first_token(psi):
    """Milliseconds from the request to the first piece of an answer, as psi itself keeps them."""
    times = []
    for question in QUESTIONS:
        conversation = psi.post("/api/conversations", {"content": question})["conversation"]["id"]
        while True:
            state = json.loads(psi.get(f"/api/conversations/{conversation}"))
            answers = [m for m in state["messages"] if m["role"] == "assistant"]
            if not state["running"] and answers:
                break
            time.sleep(0.02)
        times.append(answers[0]["details"].get("first_ms"))
    times = sorted(t for t in times if t is not None)
    return {"median": times[len(times) // 2], "max": times[-1]}


def measure(program, home, n_conversations):
    psi = Psi(program, home)
    there = len(json.loads(psi.get("/api/conversations"))["conversations"])
    if there < min(n_conversations, 1000):
        fill(psi, n_conversations)
    psi.stop()
    starts = []
    for _ in range(5):
        psi = Psi(program, home)
        starts.append(psi.start_ms)
        if len(starts) < 5:
            psi.stop()
    draw = random.Random(11)
    chats = [draw.randrange(1, n_conversations + 1) for _ in range(60)]
    queries = [" ".join(draw.sample(VOCABULARY, 1 + i % 3)) for i in range(100)]
    queries[:10] = [f"{VOCABULARY[0]} {VOCABULARY[1 + i]}" for i in range(10)]
    figures = {
        "start to first page": {"median": sorted(starts)[2], "max": max(starts)},
        "first page": timed(psi.get, ["/"] * 20),
        "a conversation": timed(lambda c: psi.get(f"/c/{c}"), chats),
        "search": timed(lambda q: psi.get("/chats?q=" + q.replace(" ", "+")), queries),
        "memory": timed(psi.get, ["/memory"] * 10),
        "review": timed(psi.get, ["/review"] * 10),
        "settings": timed(psi.get, ["/settings"] * 10),
        "first token": first_token(psi),
    }
    psi.stop()
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--home")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments.program, arguments.home or folder, arguments.conversations)
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{arguments.conversations} conversations of {MESSAGES} messages; milliseconds")
    for name, row in figures.items():
        print(f"{name:22}" + "".join(f"{what} {row[what]:8.1f}  " for what in row))


if __name__ == "__main__":
    main()
