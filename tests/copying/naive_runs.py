"""Runs that a query shares with sequences, by hand."""


def naive_lengths(sequences: list[list[int]], query: list[int]) -> list[int]:
    runs = {tuple(row[i:j]) for row in sequences for i in range(len(row)) for j in range(i + 1, len(row) + 1)}
    rest = range(len(query))
    return [max((j - i for j in range(i + 1, len(query) + 1) if tuple(query[i:j]) in runs), default=0) for i in rest]
