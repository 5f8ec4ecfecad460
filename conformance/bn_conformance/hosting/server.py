"""What the worker process answers to each request of the protocol."""

from __future__ import annotations

from typing import Any

from bn_conformance.adapter import Adapter, LayerConfig
from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.wire import PROTOCOL, Line, WireError, from_line, to_line
from bn_conformance.targets.description import describe
from bn_conformance.targets.loading import load_adapter


class Server:
    """Holds the adapters that were loaded in this process, by target, and the one that is asked now."""

    def __init__(self) -> None:
        self._adapters: dict[tuple[str, str], tuple[Adapter, LocalHost]] = {}
        self._host: LocalHost | None = None
        self._failed = False

    def answer(self, line: bytes | Line) -> bytes:
        """The answer to a request, as a line; whatever goes wrong becomes an answer too.

        A request that is chained to one that failed is not run, and has failed then.
        """
        try:
            request = from_line(line)
            if request.pop("chained", False) and self._failed:
                return self._failure("NotRun", "the request before it failed")
            answer = to_line(self._run(request))
        except LayerError as error:
            return self._failure(error.kind, error.message)
        except (WireError, KeyError, TypeError) as error:
            return self._failure("ProtocolError", f"{type(error).__name__}: {error}")
        except Exception as error:
            return self._failure(type(error).__name__, str(error))
        self._failed = False
        return answer

    def _failure(self, kind: str, message: str) -> bytes:
        self._failed = True
        return to_line({"error": {"type": kind, "message": message}, "seconds": self._seconds()})

    def _seconds(self) -> float:
        return self._host.seconds if self._host else 0.0

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request.pop("op")
        if operation == "load":
            return {"ok": self._load(request["target"], request["device"])}
        if self._host is None:
            raise WireError(f"{operation} before load")
        if "config" in request:
            request["config"] = LayerConfig.from_json(request["config"])
        if operation not in _OPERATIONS:
            raise WireError(f"op is {operation!r}; allowed are load, {', '.join(sorted(_OPERATIONS))}")
        result = getattr(self._host, operation)(**request)
        answer = dict(vars(result)) if operation in ("forward", "backward", "double_backward") else result
        return {"ok": answer, "seconds": self._seconds()}

    def _load(self, target: str, device: str) -> dict[str, Any]:
        key = target, device
        if key not in self._adapters:
            adapter = load_adapter(target)(device=device)
            self._adapters[key] = adapter, LocalHost(adapter)
        adapter, self._host = self._adapters[key]
        return {"protocol": PROTOCOL, **describe(type(adapter))}


_OPERATIONS = frozenset(
    {
        "supports",
        "build",
        "forward",
        "backward",
        "double_backward",
        "running_statistics",
        "set_running_statistics",
        "set_parameters",
        "state",
        "load_state",
        "freeze",
        "update_statistics",
        "set_threads",
        "concurrently",
        "overwrite",
        "drop",
    }
)
