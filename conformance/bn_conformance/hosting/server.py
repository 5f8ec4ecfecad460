"""What the worker process answers to each request of the protocol."""

from __future__ import annotations

import gc
from typing import Any

from bn_conformance.adapter import Adapter
from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.messages import answer_of, call_of
from bn_conformance.hosting.operations import Call, LoadCall, LoadResult
from bn_conformance.hosting.wire import PROTOCOL, Line, WireError, decode_line, encode_line
from bn_conformance.targets.description import describe_adapter
from bn_conformance.targets.errors import error_text
from bn_conformance.targets.loading import load_adapter
from bn_conformance.text import one_line


class Server:
    """Holds the adapters that were loaded in this process, by target and device, and the one that is asked now."""

    def __init__(self) -> None:
        self._adapters: dict[tuple[str, str], tuple[Adapter, LocalHost]] = {}
        self._host: LocalHost | None = None
        self._failed = False

    def answer(self, line: bytes | Line) -> bytes:
        """The answer to a request, as a line; whatever goes wrong becomes an answer too.

        A chained request is not run where the request before it failed, and counts as failed then.
        """
        try:
            request = decode_line(line)
            if request.pop("chained", False) and self._failed:
                return self._failure("NotRun", "the request before it failed")
            result = self._result(call_of(request))
            answer = encode_line({"ok": answer_of(result), "seconds": self._seconds()})
        except LayerError as error:
            return self._failure(error.kind, error.message, error.place)
        except WireError as error:
            return self._failure("ProtocolError", str(error))
        except Exception as error:
            return self._failure(type(error).__name__, error_text(error))
        self._failed = False
        return answer

    def _failure(self, kind: str, message: str, place: str = "") -> bytes:
        self._failed = True
        error = {"type": one_line(kind), "message": message} | ({"place": place} if place else {})
        return encode_line({"error": error, "seconds": self._seconds()})

    def _seconds(self) -> float:
        return self._host.seconds if self._host else 0.0

    def _result(self, call: Call[Any]) -> Any:
        if isinstance(call, LoadCall):
            return self._load(call)
        if self._host is None:
            raise WireError(f"{call.name} before load")
        return self._host.ask(call)

    def _load(self, call: LoadCall) -> LoadResult:
        key = call.target, call.device
        if key not in self._adapters:
            adapter = load_adapter(call.target)(device=call.device)
            self._adapters[key] = adapter, LocalHost(adapter)
            gc.freeze()  # what a framework is made of stays, and is not looked through again and again
        adapter, self._host = self._adapters[key]
        return LoadResult(PROTOCOL, describe_adapter(type(adapter)))
