"""A line between two programs on loopback: counts the bytes that pass, and can be cut and mended."""

from __future__ import annotations

import socket
import threading


class Line:
    """Carries connections made to `address` on to `target` (host:port, may be changed); `carried_bytes` counts both
    directions, with everything that gRPC and HTTP/2 add."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.carried_bytes = 0
        self._whole = True
        self._counting = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port to connect to."""
        return "{}:{}".format(*self._server.getsockname()[:2])

    def cut(self) -> None:
        """Ends every connection, in the middle of whatever it carries; new ones end at once."""
        self._whole = False
        for end in list(self._ends):
            self._end(end)

    def mend(self) -> None:
        """New connections are carried again."""
        self._whole = True

    def close(self) -> None:
        """Ends everything."""
        self.cut()
        self._end(self._server)

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            self._ends.add(here)
            try:
                host, _, port = self.target.rpartition(":")
                there = socket.create_connection((host, int(port)))
            except OSError:
                self._end(here)
                continue
            self._ends.add(there)
            if not self._whole:
                self._end(here)
                self._end(there)
                continue
            for source, sink in ((here, there), (there, here)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
                with self._counting:
                    self.carried_bytes += len(data)
        except OSError:
            pass
        self._end(source)
        self._end(sink)

    def _end(self, end: socket.socket) -> None:
        self._ends.discard(end)
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
