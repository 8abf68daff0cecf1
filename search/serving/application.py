"""The routes, and what happens around every request: limits, errors, counting, logging."""

import asyncio
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reports.bundle import Bundle, BundleError
from search.serving import classifying, forecasting, open_inference, tensorflow_serving
from search.serving.errors import RequestError
from search.serving.log import take_over_logging, write_line
from search.serving.metrics import Metrics
from search.serving.openapi import DOCS_HEADERS, docs_page, openapi
from search.serving.served import Served, load_served
from search.serving.settings import Serving
from search.serving.windows import parse

_INLINE = 64 * 1024  # bytes; what is longer goes to a thread, so that others are answered meanwhile
_GONE = 499  # what proxies, too, call the status of a request whose client has gone
_JSON = "application/json"
_NUMPY = orjson.OPT_SERIALIZE_NUMPY

Work = Callable[[Bundle, dict[str, Any]], tuple[dict[str, Any], int]]
Endpoint = Callable[[Request], Awaitable[Response]]


class _ModelName(StringConvertor):
    regex = "[^/:]+"


register_url_convertor("model", _ModelName())


@dataclass(frozen=True)
class _Serving:
    """What the endpoints of one worker share."""

    settings: Serving
    served: Served
    metrics: Metrics
    threads: ThreadPoolExecutor


def create_application(settings: Serving, served: Served | None = None) -> ASGIApp:
    """Make the ASGI application of one worker, which loads the bundle unless it is given.

    Raises:
        reports.bundle.BundleError: the bundle cannot be used.
    """
    take_over_logging()
    metrics = Metrics(settings.metrics)
    threads = ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="work")
    shared = _Serving(settings, served or load_served(settings.bundle), metrics, threads)
    endpoints = _endpoints(shared)
    routes = [Route(path, endpoint, methods=[method]) for method, path, _, endpoint in endpoints]
    application = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _http_error, Exception: _bug},
        lifespan=lambda _: _running(shared),
    )
    labels = {endpoint: label for _, _, label, endpoint in endpoints}
    return _Watched(application, labels, metrics, settings.access_log)


def _endpoints(shared: _Serving) -> list[tuple[str, str, str, Endpoint]]:
    """Method, path, the name under which it is counted, and what answers; the busiest ones first."""
    infer = _working(shared, open_inference.infer)
    predict = _working(shared, tensorflow_serving.predict)

    def about(what: Callable[[Bundle], dict[str, Any]]) -> Endpoint:
        async def answer(request: Request) -> Response:
            return _as_json(what(_bundle(shared, request)))

        return _with_reasons(answer)

    model, version = "/{name:model}", "/versions/{version}"
    found: list[tuple[str, str, str, Endpoint]] = []
    for place in (model, model + version):
        v1, v2 = f"/v1/models{place}", f"/v2/models{place}"
        found += [
            ("POST", f"{v2}/infer", "infer", infer),
            ("POST", f"{v1}:predict", "predict", predict),
            ("GET", v2, "model", about(open_inference.about_model)),
            ("GET", f"{v2}/ready", "health", about(_ready)),
            ("GET", v1, "model", about(tensorflow_serving.status)),
            ("GET", f"{v1}/metadata", "model", about(tensorflow_serving.about_model)),
        ]

    async def metrics(_: Request) -> Response:
        about = shared.served.bundle.metadata
        text = shared.metrics.as_text(about.name, about.version)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def docs(_: Request) -> Response:
        return HTMLResponse(docs_page(), headers=DOCS_HEADERS)

    return [
        *found,
        ("POST", "/forecast", "forecast", _working(shared, forecasting.forecast)),
        ("POST", "/classify", "classify", _working(shared, classifying.classify)),
        ("GET", "/v2", "model", about(lambda _: open_inference.about_server())),
        ("GET", "/v2/health/live", "health", about(lambda _: {"live": True})),
        ("GET", "/v2/health/ready", "health", about(lambda _: {"ready": True})),
        ("GET", "/metrics", "metrics", metrics),
        ("GET", "/openapi.json", "docs", about(openapi)),
        ("GET", "/docs", "docs", docs),
    ]


def _ready(bundle: Bundle) -> dict[str, Any]:
    return {"name": bundle.metadata.name, "ready": True}


def _working(shared: _Serving, work: Work) -> Endpoint:
    """An endpoint that reads a JSON object, lets the model work, and writes another one."""

    def carry_out(bundle: Bundle, body: bytes) -> tuple[bytes, int]:
        answer, windows = work(bundle, parse(body))
        return orjson.dumps(answer, option=_NUMPY), windows

    async def endpoint(request: Request) -> Response:
        _bundle(shared, request)  # that there is such a model is said before the body is read
        body = await _body(request, shared.settings.body_limit)
        bundle = _bundle(shared, request)  # a slow body may have seen a switch
        if len(body) <= _INLINE:
            content, windows = carry_out(bundle, body)
        else:
            loop = asyncio.get_running_loop()
            content, windows = await loop.run_in_executor(shared.threads, carry_out, bundle, body)
        shared.metrics.count_windows(windows)
        return Response(content, media_type=_JSON)

    return _with_reasons(endpoint)


def _with_reasons(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestError as error:
            return _error(str(error), error.status)
        except BundleError as error:
            return _error(str(error), 400)

    return answer


def _bundle(shared: _Serving, request: Request) -> Bundle:
    """The bundle in use, if it is the model and the version that the path names."""
    bundle = shared.served.bundle
    about, asked = bundle.metadata, request.path_params
    if asked.get("name", about.name) != about.name:
        raise RequestError(f"there is no model {asked['name']!r} here, only {about.name!r}", 404)
    if asked.get("version", str(about.version)) != str(about.version):
        raise RequestError(
            f"there is no version {asked['version']!r} of {about.name!r} here, only {about.version}",
            404,
        )
    return bundle


async def _body(request: Request, limit: int) -> bytes:
    """Read the body, but no more of it than the limit.

    Raises:
        RequestError: it is longer.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise RequestError(f"the body may have {limit} bytes. Received: {announced}", 413)
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise RequestError(f"the body may have {limit} bytes, and has more", 413)
    return bytes(received)


def _as_json(answer: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(answer, option=_NUMPY), status, media_type=_JSON)


def _error(reason: str, status: int) -> Response:
    return _as_json({"error": reason}, status)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    reasons = {
        404: f"there is nothing at {request.url.path}; see /docs",
        405: f"{request.method} is not allowed at {request.url.path}; see /docs",
    }
    response = _error(reasons.get(error.status_code, error.detail), error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _bug(_: Request, error: Exception) -> Response:
    del error  # it is raised again after this answer, and logged
    return _error("this is a bug of the server; its log says more", 500)


@asynccontextmanager
async def _running(shared: _Serving) -> AsyncIterator[None]:
    """Listen to SIGHUP and look at the bundle's files while the server runs."""
    loop = asyncio.get_running_loop()
    served, settings = shared.served, shared.settings
    tasks = [loop.create_task(served.watch(shared.metrics, settings.look_seconds))]
    if settings.workers > 1:
        tasks.append(loop.create_task(_end_with_parent()))
    hang_ups: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        task = loop.create_task(served.switch(shared.metrics))
        hang_ups.add(task)  # the loop keeps no reference of its own
        task.add_done_callback(hang_ups.discard)

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    about = served.bundle.metadata
    write_line("ready", pid=os.getpid(), model=about.name, version=about.version)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        shared.threads.shutdown()
        write_line("stopped", pid=os.getpid())


async def _end_with_parent() -> None:
    """Stop where the process that would pass on signals is gone, which it may be already."""
    parent = multiprocessing.parent_process()
    while parent is not None and os.getppid() == parent.pid:
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass(frozen=True)
class _Watched:
    """The application with every request counted, timed and logged."""

    application: ASGIApp
    labels: dict[Endpoint, str]
    metrics: Metrics
    access_log: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        status = _GONE  # unless there is an answer

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        self.metrics.begin()
        try:
            await self.application(scope, receive, watched_send)
        except ClientDisconnect:
            status = _GONE  # nobody was there to get the 500 that is sent for any exception
        except Exception:
            write_line("bug", path=scope["path"], traceback=traceback.format_exc())
        finally:
            seconds = time.perf_counter() - started
            label = self.labels.get(scope.get("endpoint"), "other")  # type: ignore[arg-type]
            self.metrics.end(label, status, seconds)
            if self.access_log:
                _log_request(scope, status, seconds)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    client = scope.get("client") or ("", 0)
    identity = next((value for key, value in scope["headers"] if key == b"x-request-id"), None)
    write_line(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        milliseconds=round(1000 * seconds, 3),
        client=client[0],
        **({} if identity is None else {"request_id": identity.decode("latin-1")}),
    )
