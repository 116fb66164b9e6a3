"""Has music21 name every chord in every key, and writes the table that harmonic reductions look numerals up in.

    python scripts/build_numeral_table.py

Words of an embedding are words of this table: train the embedding anew after a change.
"""

import argparse

from neuromusic_hf import metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    metrics.numeral_table.build_table(metrics.numerals.TABLE_PATH)
    print(f"Written: {metrics.numerals.TABLE_PATH}")


if __name__ == "__main__":
    main()
