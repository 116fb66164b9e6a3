"""Has music21 name every chord in every key, and writes the table that harmonic reductions look numerals up in.

    python scripts/build_numeral_table.py

Words of an embedding are words of this table: train the embedding anew after a change.
"""

from neuromusic_hf.metrics.numeral_table import build_table
from neuromusic_hf.metrics.numerals import TABLE_PATH


def main():
    build_table(TABLE_PATH)
    print(f"Written: {TABLE_PATH}")


if __name__ == "__main__":
    main()
