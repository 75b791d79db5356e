"""Renders conversations with recipes/nano/chat_template.jinja as `transformers` does, for the test in
crates/psi-eval/tests/template.rs. Run from the repository's root:

    psi data synth --out /tmp/chat.jsonl --n 12 --split eval && python golden/chat_template.py /tmp/chat.jsonl
"""

import json
import sys
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment


def tojson(value):
    return json.dumps(value, ensure_ascii=False)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
environment.filters["tojson"] = tojson
template = environment.from_string(Path("recipes/nano/chat_template.jinja").read_text())

HAND = [
    {"messages": [{"role": "user", "content": "hi"}]},
    {"messages": [{"role": "user", "content": "a \"quoted\" <b> caf\u00e9"}], "tools": []},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]},
    {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"type": "function", "function": {"name": "f", "arguments": {"x": "\u00e9 \"q\" <&>", "n": 1.5}}},
                {"type": "function", "function": {"name": "g", "arguments": {}}},
            ]},
            {"role": "tool", "content": "1"},
            {"role": "tool", "content": "2"},
            {"role": "assistant", "reasoning_content": "1 + 2 = 3.", "content": "3"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {}, "n": {}}}}},
            {"type": "function", "function": {"name": "g"}},
        ],
    },
]
rows = HAND + [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
out = Path("golden/nano/chat_template.jsonl")
with out.open("w") as file:
    for row in rows:
        item = {"messages": row["messages"], "tools": row.get("tools")}
        for prompt in (False, True):
            text = template.render(**item, add_generation_prompt=prompt)
            line = {**item, "add_generation_prompt": prompt, "text": text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
