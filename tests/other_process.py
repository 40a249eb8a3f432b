"""A `call` that lives in another process and exchanges only arrays.

It proves the format that a sandbox needs: JSON in, JSON out, arrays as type, shape
and bytes; nothing is pickled, and no reference is known on the other side.
"""

import json
import subprocess
import sys

import numpy as np

from course_utils.grading.channel import decode, encode
from course_utils.judging.protocol import CallFailed, Reply


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

    from course_utils.judging.call import local_call

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
