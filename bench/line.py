"""A line between two programs on loopback: counts the bytes that pass, and can be broken as networks break."""

from __future__ import annotations

import socket
import threading
import time
from typing import Literal

Mode = Literal["whole", "cut", "slow", "mute", "deaf", "half-open"]
"""cut: connections are reset and new ones too. slow: every piece waits. mute: answers are lost. deaf: requests are
lost. half-open: both stay connected, and nothing comes through."""

SLOW_S = 0.15


class Line:
    """Carries connections made to `address` on to `target` (host:port, may be changed), in the `mode` of the moment;
    `carried_bytes` counts both directions, with everything that gRPC and HTTP/2 add."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.carried_bytes = 0
        self._mode: Mode = "whole"
        self._counting = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port to connect to."""
        return "{}:{}".format(*self._server.getsockname()[:2])

    def become(self, mode: Mode) -> None:
        """From now on. What was lost while the line was not whole stays lost, so its connections end then."""
        before, self._mode = self._mode, mode
        if mode == "cut" or before in ("mute", "deaf", "half-open"):
            self._reset()

    def close(self) -> None:
        """Ends everything."""
        self.become("cut")
        _end(self._server)

    def _reset(self) -> None:
        """Ends every connection, in the middle of whatever it carries."""
        for end in list(self._ends):
            _end(end)

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            self._connect(here)

    def _connect(self, here: socket.socket) -> None:
        """Nothing that happens to one connection ends the line."""
        try:
            if self._mode == "cut":
                raise ConnectionResetError
            host, _, port = self.target.rpartition(":")
            there = socket.create_connection((host, int(port)))
            for end in (here, there):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            _end(here)
            return
        self._ends |= {here, there}
        for source, sink, lost_in in ((here, there, "deaf"), (there, here, "mute")):
            threading.Thread(target=self._carry, args=(source, sink, lost_in), daemon=True).start()
        if self._mode == "cut":  # since we looked
            self._reset()

    def _carry(self, source: socket.socket, sink: socket.socket, lost_in: Mode) -> None:
        try:
            while data := source.recv(1 << 16):
                if self._mode == "slow":
                    time.sleep(SLOW_S)
                if self._mode in (lost_in, "half-open"):
                    continue
                sink.sendall(data)
                with self._counting:
                    self.carried_bytes += len(data)
        except OSError:
            pass
        for end in (source, sink):
            self._ends.discard(end)
            _end(end)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
