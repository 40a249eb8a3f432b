"""A `call` that lives in another process and exchanges only arrays.

It proves the format that a sandbox needs: JSON in, JSON out, arrays as type, shape
and bytes; nothing is pickled, and no reference is known on the other side.
"""

import base64
import json
import subprocess
import sys

import numpy as np

from course_utils.checks.protocol import CallFailed, Reply
from course_utils.checks.values import Foreign


def encode(value):
    """Turn plain data into what JSON can hold."""
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.str, list(value.shape), data]}
    if isinstance(value, list):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[key, encode(item)] for key, item in value.items()]}
    if isinstance(value, Foreign):
        return {"foreign": value.type_name}
    assert value is None or type(value) in (bool, int, float, str), type(value)
    return {"plain": value}


def decode(message):
    """Turn it back."""
    ((kind, value),) = message.items()
    if kind == "array":
        dtype, shape, data = value
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    if kind == "list":
        return [decode(item) for item in value]
    if kind == "dict":
        return {key: decode(item) for key, item in value}
    return Foreign(value) if kind == "foreign" else value


class OtherProcess:
    """Run answer cells and calls in a Python of their own."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.other_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def run(self, source):
        self._ask(source=source)

    def call(self, name, arguments, probe, timeout):
        answer = self._ask(name=name, arguments=encode(arguments), probe=probe, timeout=timeout)
        if "failed" in answer:
            raise CallFailed(*answer["failed"])
        return Reply(decode(answer["value"]), decode(answer["after"]))


def serve():
    """Answer requests, one line each, until the input ends."""
    import torch

    from course_utils.checks.call import local_call

    replies, sys.stdout = sys.stdout, sys.stderr  # an answer may print
    namespace = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "source" in request:
            namespace = {"np": np, "torch": torch, "nn": torch.nn}
            exec(compile(request["source"], "<answer>", "exec"), namespace)
            answer = {}
        else:
            call = local_call(namespace)
            arguments = decode(request["arguments"])
            try:
                reply = call(request["name"], arguments, request["probe"], request["timeout"])
                answer = {"value": encode(reply.value), "after": encode(reply.after)}
            except CallFailed as failure:
                answer = {"failed": [failure.status, failure.message]}
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve()
