"""The anthropic package makes a batch: every result is the message that the same request gets alone.

    batch_check.py --psi PROGRAM --model FOLDER

(The package's own tests of results ask a mock, not psi.)
"""

import argparse
import pathlib
import tempfile
import time

import anthropic
from server import CHATML, serving

# The package has no name for it any more.
GREEDY = {"temperature": 0.0}
TEXTS = ["Once upon a time", "The dog was happy", "Tom and his mom", "She saw a big", "They all lived"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--psi", required=True)
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        template = pathlib.Path(scratch) / "chatml.jinja"
        template.write_text(CHATML)
        flags = ["--model", f"tiny={arguments.model}", "--chat-template", str(template)]
        with serving(arguments.psi, flags) as address:
            check(anthropic.Anthropic(base_url=address, api_key="none"))


def check(client):
    def params(text):
        return {"model": "tiny", "max_tokens": 24, "messages": [{"role": "user", "content": text}]}

    requests = [{"custom_id": f"r{i}", "params": {**params(text), **GREEDY}} for i, text in enumerate(TEXTS)]
    requests.append({"custom_id": "bad", "params": {**params("x"), "max_tokens": 0}})
    batches = client.messages.batches
    batch = batches.create(requests=requests)
    deadline = time.monotonic() + 60
    while batches.retrieve(batch.id).processing_status != "ended":
        assert time.monotonic() < deadline, "the batch does not end"
        time.sleep(0.05)
    results = {line.custom_id: line.result for line in batches.results(batch.id)}
    assert len(results) == len(requests)
    for i, text in enumerate(TEXTS):
        alone = client.messages.create(**params(text), extra_body=GREEDY)
        assert results[f"r{i}"].message.content == alone.content, text
    assert results["bad"].error.error.type == "invalid_request_error"
    assert [b.id for b in batches.list()] == [batch.id]
    assert batches.delete(batch.id).type == "message_batch_deleted"
    print(f"batches: {len(TEXTS)} results are what the same requests get alone")


if __name__ == "__main__":
    main()
