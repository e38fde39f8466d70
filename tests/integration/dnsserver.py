# SPDX-License-Identifier: BSD-3-Clause
"""A DNS server on loopback that knows what a test tells it: addresses, services (SRV) and pointers (NAPTR)."""

import socket
import struct
import threading

A, SRV, AAAA, NAPTR = 1, 33, 28, 35
NXDOMAIN = 3


def _name(text):
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _text(text):
    return bytes([len(text)]) + text.encode()


class DnsServer:
    """`address` is what `edge.dns` takes. Changes take effect with the next question."""

    def __init__(self):
        self.records = {}  # name: [(type, ttl, data)]
        self.asked = []  # (name, type)
        self.silent = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _add(self, name, kind, ttl, data):
        self.records.setdefault(name.lower(), []).append((kind, ttl, data))

    def host(self, name, ip, ttl=60):
        family, kind = (socket.AF_INET6, AAAA) if ":" in ip else (socket.AF_INET, A)
        self._add(name, kind, ttl, socket.inet_pton(family, ip))

    def service(self, name, target, port, priority=0, weight=0, ttl=60):
        self._add(name, SRV, ttl, struct.pack("!HHH", priority, weight, port) + _name(target))

    def pointer(self, name, service, replacement, order=0, preference=0, ttl=60):
        data = struct.pack("!HH", order, preference) + _text("s") + _text(service) + _text("")
        self._add(name, NAPTR, ttl, data + _name(replacement))

    def remove(self, name):
        self.records.pop(name.lower(), None)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels).lower()
        (kind,) = struct.unpack_from("!H", question, at + 1)
        self.asked.append((name, kind))
        known = self.records.get(name)
        found = [record for record in known or [] if record[0] == kind]
        flags = 0x8580 | (0 if known else NXDOMAIN)
        answer = question[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + question[12 : at + 5]
        for _, ttl, data in found:
            answer += struct.pack("!HHHIH", 0xC00C, kind, 1, ttl, len(data)) + data
        return answer

    def _serve(self):
        while True:
            try:
                question, source = self.socket.recvfrom(4096)
            except OSError:
                return
            if len(question) < 17:  # close() says so
                return
            answer = self._answer(question)
            if not self.silent:
                self.socket.sendto(answer, source)

    def close(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()
