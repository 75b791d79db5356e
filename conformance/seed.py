"""A pytest plugin: puts the objects that the suites ask for by fixed names into psi's store, before each test."""

import contextlib
import json
import os
import pathlib
import urllib.error
import urllib.request

import pytest

STORE = pathlib.Path(os.environ["PSI_STORE"])
MODEL = os.environ.get("PSI_SEED_MODEL", "gpt-6-astra")
ADAPTER = os.environ.get("PSI_ADAPTER", "")
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def completion(name):
    message = {"role": "assistant", "content": "hello", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {"id": name, "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": USAGE,
            "metadata": {}}


def response(name):
    text = {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return {"id": name, "object": "response", "created_at": 1, "status": "completed", "model": MODEL, "output": [item],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0}


def load_adapter():
    """What one test deletes is there again for the next."""
    model, _, name = ADAPTER.rpartition(":")
    body = json.dumps({"model": model, "name": name, "path": name}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{os.environ['PSI_ADDRESS']}/v1/adapters/load", data=body, headers=headers)
    urllib.request.urlopen(request).close()


def put(name, value, item_id="after"):
    item = {"id": item_id, "type": "message", "role": "user", "status": "completed",
            "content": [{"type": "input_text", "text": "hello"}]}
    # The client types every stored message as an assistant's.
    messages = [{"role": "assistant", "content": "hello", "refusal": None}]
    kept = {"id": name, "owner": "local", "object": value, "messages": messages, "input": [item]}
    (STORE / f"{name}.json").write_text(json.dumps(kept))


def put_batches(is_open):
    """Batches that lists and deletions name; one that is to be cancelled has not ended."""
    counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 1, "expired": 0}
    for name in ["message_batch_id", "after_id", "before_id"]:
        forget(f"/v1/messages/batches/{name}")
        state = {"object": "message_batch", "created_at": 1, "ended_at": None if is_open else 2,
                 "cancel_initiated_at": None, "counts": counts}
        put(name, state)
        urllib.request.urlopen(f"{os.environ['PSI_ADDRESS']}/v1/messages/batches/{name}").close()


def forget(path):
    """What a test before has changed is as it was."""
    request = urllib.request.Request(f"{os.environ['PSI_ADDRESS']}{path}", method="DELETE")
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request).close()


@pytest.fixture(autouse=True)
def seeded(request):
    if ADAPTER and "delete" in request.node.name:
        load_adapter()
    for name in ["completion_id", "after"]:
        put(name, completion(name))
        # psi lists what it has seen.
        urllib.request.urlopen(f"{os.environ['PSI_ADDRESS']}/v1/chat/completions/{name}").close()
    for name in ["response_id", "previous_response_id", "resp_123", "resp_677efb5139a88190b512bc3fef8e535d"]:
        put(name, response(name))
    if "test_batches" in str(request.node.path):
        put_batches(is_open="cancel" in request.node.name)
    if "conversations" in str(request.node.path):
        forget("/v1/conversations/conv_123")
        put("conv_123", {"id": "conv_123", "object": "conversation", "created_at": 1, "metadata": {}}, "msg_abc")
