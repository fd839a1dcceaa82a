"""A line between two services that can be broken in every way that networks break: a TCP proxy on loopback."""

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
    """Accepts on `address` and carries everything to `target`, in the `mode` of the moment."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._mode: Mode = "whole"
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where to connect instead of the target."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def become(self, mode: Mode) -> None:
        """From now on. What was lost while the line was not whole stays lost, so its connections end then."""
        before, self._mode = self._mode, mode
        if mode == "cut" or before in ("mute", "deaf", "half-open"):
            self._reset()

    def close(self) -> None:
        """No more connections."""
        self._closed = True
        self._listening.close()
        self._reset()

    def _reset(self) -> None:
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._sockets = []

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listening.accept()
                if self._mode == "cut":
                    near.close()
                    continue
                far = socket.create_connection(self._target)
            except OSError:
                continue
            self._sockets += [near, far]
            for source, sink, lost_in in ((near, far, "deaf"), (far, near, "mute")):
                threading.Thread(target=self._carry, args=(source, sink, lost_in), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, lost_in: Mode) -> None:
        try:
            while data := source.recv(1 << 16):
                if self._mode == "slow":
                    time.sleep(SLOW_S)
                if self._mode not in (lost_in, "half-open"):
                    sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            each.close()
