"""FORMAT.md's numbers, tables and range decoder, with the standard library alone."""

import lzma


def unpack_numbers(data):
    """The whole numbers of a model."""
    planes = lzma.decompress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])
    count = len(planes) // 4
    for i in range(count):
        z = planes[i] | planes[count + i] << 8 | planes[2 * count + i] << 16 | planes[3 * count + i] << 24
        yield -(z >> 1) - 1 if z & 1 else z >> 1


def table_weights(levels):
    """The weights of a probability table, which sum to 2^24."""
    shares = [(level + 1) ** 2 for level in levels]
    weights = [1 + share * (2**24 - len(levels)) // sum(shares) for share in shares]
    weights[weights.index(max(weights))] += 2**24 - sum(weights)
    return weights


def range_decode(data, tables, count):
    """symbols[unit][image], unit u by table u."""
    read = range_reader(data)
    return [[read(weights) for _ in range(count)] for weights in tables]


def range_reader(data):
    """What reads the next symbol by its table: the range decoder, 64 bits of state, 32-bit words, 24-bit weights."""
    taken = 0

    def word():
        nonlocal taken
        taken += 4
        return int.from_bytes(data[taken - 4 : taken].ljust(4, b"\0"), "big")

    width, offset = 2**64 - 1, word() << 32 | word()

    def read(weights):
        nonlocal width, offset
        symbol = start = 0
        if len(weights) > 1:
            unit = width >> 24
            quantile = offset // unit
            if quantile >= 2**24:
                raise ValueError("the stream leaves the range")
            while start + weights[symbol] <= quantile:
                start += weights[symbol]
                symbol += 1
            offset -= unit * start
            width = unit * weights[symbol]
            if width < 2**32:
                width, offset = width << 32, offset << 32 | word()
        return symbol

    return read
