"""A small HTTP server on the loopback that counts what it is asked, and misbehaves when it is told to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Faults = Callable[[int], str]
"""What is wrong with the answer to a request, by its number: "", "cut", "short", "whole", or an HTTP status."""


class Server(ThreadingHTTPServer):
    """Files by their names, with ranges."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = files, list[str]()
        self.fault: Faults = lambda number: ""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, as it does where ranges are ignored, is no error of the server's."""

    def url(self, name: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_address[1]}/{name}"

    def taken(self) -> int:
        """How many requests there were since it was asked last."""
        count = len(self.requests)
        self.requests.clear()
        return count


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.headers.get("Range", ""))
        fault = self.server.fault(len(self.server.requests))
        data = self.server.files.get(self.path.lstrip("/").split("?")[0])
        if fault.isdigit() or data is None:
            self.send_response(int(fault or 404))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if found and fault != "whole":
            first, last = found.groups()
            start = int(first) if first else max(0, len(data) - int(last))
            body = data[start : int(last) + 1 if first and last else None]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(data)}")
        else:
            body = data
            self.send_response(200)
        sent = body[: len(body) // 2] if fault in ("cut", "short") else body
        self.send_header("Content-Length", str(len(sent if fault == "short" else body)))
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = fault == "cut"

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    with Server(files) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
