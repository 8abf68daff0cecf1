"""Starting, stopping and changing the bundle of a server that answers requests meanwhile."""

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.bundles import expected, write_bundle
from tests.search.serving.conftest import PATIENCE, Running, Serve, some_windows

PREDICT = "/v1/models/power:predict"
WINDOWS = some_windows(2)
BODY = json.dumps({"inputs": WINDOWS.tolist()}).encode()
HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


def version_of(answer: Any) -> int:
    """Which version of the model has given an answer; an answer of none of them fails."""
    (found,) = (
        version
        for version in range(1, 10)
        if np.allclose(answer["outputs"], expected(WINDOWS, version), rtol=1e-4, atol=1e-4)
    )
    return found


@contextmanager
def asking(server: Running, clients: int = 4) -> Iterator[list[tuple[int, Any]]]:
    """Ask without a pause, each client on one connection; gives all answers when the block has ended."""
    answers: list[tuple[int, Any]] = []
    stopping = threading.Event()

    def ask() -> None:
        connection = server.connect()
        while not stopping.is_set():
            try:
                connection.request("POST", PREDICT, BODY)
                response = connection.getresponse()
                answers.append((response.status, json.loads(response.read())))
            except (OSError, http.client.HTTPException) as error:
                answers.append((0, repr(error)))  # lost; the next request connects anew
                connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join(PATIENCE)
        answers.append((0, None) if any(thread.is_alive() for thread in threads) else answers[-1])


def test_sigterm_lets_a_request_under_way_finish(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_bundle(tmp_path / "bundle"))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(HEAD + BODY[:10])
        _wait_until_running(server, 2)  # this request, and the one that asks
        server.signal(signal.SIGTERM)
        _wait_until_refused(server.port)
        client.sendall(BODY[10:])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert version_of(json.loads(answer.partition(b"\r\n\r\n")[2])) == 1
    assert server.process.wait(PATIENCE) == 0
    server.wait_for("stopped")


def _wait_until_running(server: Running, count: int) -> None:
    _wait_until_said(server, f"lstm_search_requests_running {count}\n")


def _wait_until_said(server: Running, line: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while line not in server.ask("/metrics")[1]:
        assert time.monotonic() < deadline


def _wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except OSError:
            return
    raise AssertionError("connections are still accepted")


@pytest.mark.parametrize("workers", [1, 2])
def test_new_bundles_come_in_under_load_and_no_request_is_lost(
    serve: Serve, tmp_path: Path, workers: int
) -> None:
    server = serve(write_bundle(tmp_path / "bundle"), "--workers", workers, "--no-access-log")
    processes = {server.wait_for("ready", 1 + number)["pid"] for number in range(workers)}
    with asking(server) as answers:
        server_has_answered(answers, 50)
        write_bundle(tmp_path / "bundle", version=2)  # seen by looking
        for process in processes:
            server.wait_for("switched", pid=process, version=2)
        server_has_answered(answers, 50)
        write_bundle(tmp_path / "bundle", version=3)
        server.signal(signal.SIGHUP)
        for process in processes:
            server.wait_for("switched", pid=process, version=3)
        server_has_answered(answers, 50)
    assert {status for status, _ in answers} == {200}
    versions = [version_of(answer) for _, answer in answers]
    assert set(versions) == {1, 2, 3}
    assert versions[-1] == 3
    assert server.ask("/v1/models/power/versions/3")[0] == 200
    assert server.ask("/v1/models/power/versions/1")[0] == 404


def server_has_answered(answers: list[tuple[int, Any]], more: int) -> None:
    goal, deadline = len(answers) + more, time.monotonic() + PATIENCE
    while len(answers) < goal:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_broken_bundle_is_refused_and_the_old_one_stays(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    server = serve(bundle)
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"more")
    refused = server.wait_for("refused")
    assert "model.onnx was changed after the bundle was made" in refused["reason"]
    assert version_of(server.ask(PREDICT, BODY)[1]) == 1
    write_bundle(bundle, version=2, name="another")
    assert "named 'another'" in server.wait_for("refused", 2)["reason"]
    assert version_of(server.ask(PREDICT, BODY)[1]) == 1
    write_bundle(bundle, version=3)
    server.wait_for("switched", version=3)
    assert version_of(server.ask(PREDICT, BODY)[1]) == 3
    text = server.ask("/metrics")[1]
    assert 'lstm_search_bundle_switches_total{outcome="refused"} 2\n' in text
    assert 'lstm_search_bundle_switches_total{outcome="accepted"} 1\n' in text


def test_a_bundle_that_is_gone_leaves_the_old_one(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    server = serve(bundle)
    bundle.rename(tmp_path / "elsewhere")
    server.signal(signal.SIGHUP)
    assert "no such bundle" in server.wait_for("refused")["reason"]
    assert version_of(server.ask(PREDICT, BODY)[1]) == 1


def test_a_link_that_is_turned_brings_the_new_bundle_in(serve: Serve, tmp_path: Path) -> None:
    link = tmp_path / "production"
    link.symlink_to(write_bundle(tmp_path / "one"))
    server = serve(link)
    (tmp_path / "next").symlink_to(write_bundle(tmp_path / "two", version=2))
    (tmp_path / "next").replace(link)
    server.wait_for("switched", version=2)
    assert version_of(server.ask(PREDICT, BODY)[1]) == 2


def test_workers_count_together_and_a_dead_one_is_replaced(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_bundle(tmp_path / "bundle"), "--workers", 2)
    server.wait_for("ready", 2)
    for _ in range(20):  # each on a connection of its own, so that both workers get some
        assert server.ask(PREDICT, BODY)[0] == 200
    counted = 'lstm_search_requests_total{endpoint="predict",status="200"} 20\n'
    _wait_until_said(server, counted)  # an answer is counted once it has been sent
    psutil.Process(server.wait_for("ready")["pid"]).kill()
    server.wait_for("ready", 3)
    text = server.ask("/metrics")[1]
    assert counted in text
    assert "lstm_search_windows_total 40\n" in text
    server.signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0


def test_workers_end_where_their_parent_was_killed(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_bundle(tmp_path / "bundle"), "--workers", 2)
    server.wait_for("ready", 2)
    workers = [line["pid"] for line in server.lines if line["event"] == "ready"]
    server.process.kill()
    server.wait_for("stopped", 2)
    psutil.wait_procs([psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)], PATIENCE)


def test_every_request_is_a_line_of_the_log(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_bundle(tmp_path / "bundle"))
    connection = server.connect()
    connection.request("POST", PREDICT, BODY, {"X-Request-ID": "mine"})
    assert connection.getresponse().status == 200
    line = server.wait_for("request", request_id="mine")
    assert (line["method"], line["path"], line["status"]) == ("POST", PREDICT, 200)
    assert 0 < line["milliseconds"] < 1000 * PATIENCE
    assert server.ask("/none")[0] == 404
    server.wait_for("request", path="/none", status=404)


def test_a_client_that_goes_is_no_error_of_the_server(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_bundle(tmp_path / "bundle"))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(HEAD + BODY[:10])
        _wait_until_running(server, 2)  # this request, and the one that asks
    assert server.wait_for("request", path=PREDICT)["status"] == 499
    counted = 'lstm_search_requests_total{endpoint="predict",status="499"} 1\n'
    assert counted in server.ask("/metrics")[1]


def test_it_is_small_and_reached_from_this_machine_only(serve: Serve, tmp_path: Path) -> None:
    server = serve(write_bundle(tmp_path / "bundle"))
    for _ in range(200):
        assert server.ask(PREDICT, BODY)[0] == 200
    process = psutil.Process(server.process.pid)
    assert process.memory_info().rss < 120 * 2**20
    mapped = " ".join(place.path for place in process.memory_maps())
    for package in ("tensorflow", "pandas", "pyarrow", "matplotlib", "sqlalchemy", "scipy"):
        assert f"/{package}/" not in mapped
    listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert [place.laddr.ip for place in listening] == ["127.0.0.1"]


@pytest.mark.parametrize("broken", ["no bundle", "changed", "port"])
def test_what_cannot_be_served_is_told_in_one_line(
    command: list[str], tmp_path: Path, broken: str, server: Running
) -> None:
    bundle, port, reason = tmp_path / "bundle", 0, "no such bundle"
    if broken != "no bundle":
        write_bundle(bundle)
    if broken == "changed":
        (bundle / "metadata.json").write_text("{}")
        reason = "metadata.json was changed"
    if broken == "port":
        port, reason = server.port, "Address already in use"
    done = subprocess.run(
        [*command, "serve", str(bundle), "--port", str(port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
