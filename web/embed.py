#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the table of pages that posternd serves as a C file: embed.py PATH=FILE ... > pages.c"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
WORTH_IT = 0.8  # of the length: compressed pages have to be smaller than that


def bytes_of(name, content):
    yield f"static const unsigned char {name}[] = {{"
    for at in range(0, len(content), 24):
        yield "    " + ",".join(str(byte) for byte in content[at:at + 24]) + ","
    yield "};"


def main():
    rows = []
    print('#include "front/pages.h"')
    for number, (path, file) in enumerate(argument.split("=", 1) for argument in sys.argv[1:]):
        file = pathlib.Path(file)
        content = file.read_bytes()
        print(*bytes_of(f"page_{number}", content), sep="\n")
        packed = gzip.compress(content, 9, mtime=0)
        compressed = "NULL, 0"
        if len(packed) < WORTH_IT * len(content):
            print(*bytes_of(f"page_{number}_gzip", packed), sep="\n")
            compressed = f"page_{number}_gzip, {len(packed)}"
        tag = f'W/\\"{hashlib.sha256(content).hexdigest()[:32]}\\"'
        rows.append(f'    {{"{path}", "{TYPES[file.suffix]}", page_{number}, {len(content)}, {compressed}, "{tag}"}},')
    print("const struct front_page front_pages[] = {", *rows, "};", sep="\n")
    print(f"const size_t front_page_count = {len(rows)};")


if __name__ == "__main__":
    main()
