"""The Huffman tables of JPEG files: their codes, and the tables that libjpeg makes. ITU-T T.81, annexes C and K.2.

A table is the bytes of a DHT segment: 16 counts of codes, one for each length, and the symbols in the order of their
codes.
"""

from __future__ import annotations

from collections import Counter

from engram.errors import CorruptData


def codes(table: bytes) -> dict[int, str]:
    """Each symbol's code, as a string of 0 and 1. Raises CorruptData."""
    if len(table) != 16 + sum(table[:16]):
        raise CorruptData("a Huffman table is cut")
    symbols, code, found = iter(table[16:]), 0, dict[int, str]()
    for length, count in enumerate(table[:16], 1):
        for _ in range(count):
            found[next(symbols)] = f"{code:0{length}b}"
            code += 1
        if code > 1 << length:
            raise CorruptData("a Huffman table has too many codes")
        code <<= 1
    if len(found) < len(table) - 16:
        raise CorruptData("a Huffman table has a symbol twice")
    return found


def optimal(counts: Counter[int]) -> bytes:
    """The table that libjpeg makes of symbols' counts, by T.81 K.2; b"" where there is none.

    Of equal counts the later symbol is taken first. The symbol 256 keeps the code of only ones free.
    """
    trees = [(counts[symbol], [symbol]) for symbol in sorted(counts)] + [(1, [256])]
    sizes = Counter[int]()
    while len(trees) > 1:
        one, other = sorted(range(len(trees)), key=lambda i: (trees[i][0], -i))[:2]
        merged = trees[one][1] + trees[other][1]
        sizes.update(merged)
        trees[one] = trees[one][0] + trees[other][0], merged
        del trees[other]
    if not counts or max(sizes.values()) > 32:
        return b""
    many = [0] * 33
    for size in sizes.values():
        many[size] += 1
    for length in range(32, 16, -1):
        while many[length]:
            shorter = max(i for i in range(length - 1) if many[i])
            many[length] -= 2
            many[length - 1] += 1
            many[shorter + 1] += 2
            many[shorter] -= 1
    many[max(i for i in range(33) if many[i])] -= 1
    return bytes(many[1:17]) + bytes([symbol for _, symbol in sorted((sizes[symbol], symbol) for symbol in counts)])
