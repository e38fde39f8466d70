#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a file as a C array: embed.py FILE NAME > NAME.c"""
import sys

path, name = sys.argv[1:]
with open(path, "rb") as file:
    content = file.read()
print(f"/* Made from {path.rsplit('/', 1)[-1]}. */")
print("#include <stddef.h>")
print(f"extern const unsigned char {name}[];")
print(f"extern const size_t {name}_length;")
print(f"const size_t {name}_length = {len(content)};")
print(f"const unsigned char {name}[] = {{")
for at in range(0, len(content), 24):
    print("    " + ",".join(str(byte) for byte in content[at:at + 24]) + ",")
print("};")
