"""
A tokenizer of your own: miditok's TSD, which says at the beginning of a piece how many notes come in a beat.

    python examples/own_tokenizer.py

A model that was trained with it can be asked for a dense piece or a sparse one by the first token of its prompt.
"""

from miditok import TSD, Event
from symusic import Note, Score, Track

from neuromusic_hf import MidiProcessor

DENSITIES = range(1, 10)


class DensityTSD(TSD):
    """TSD with a first token `Density_1` to `Density_9`: notes of the piece a quarter note, rounded."""

    def _create_base_vocabulary(self) -> list[str]:
        return [*super()._create_base_vocabulary(), *(f"Density_{density}" for density in DENSITIES)]

    def _create_token_types_graph(self) -> dict[str, set[str]]:
        graph = super()._create_token_types_graph()
        return {**graph, "Density": set(graph)}

    def _add_time_events(self, events: list[Event], time_division: int) -> list[Event]:
        notes = [event for event in events if event.type_ in ("Pitch", "PitchDrum")]
        quarters = max(1, notes[-1].time / time_division) if notes else 1
        density = min(max(round(len(notes) / quarters), DENSITIES[0]), DENSITIES[-1])
        first = Event(type_="Density", value=density, time=0)
        return [first, *super()._add_time_events(events, time_division)]


def main():
    processor = MidiProcessor.from_tokenization("own_tokenizer.DensityTSD")
    for length in (480, 120):
        score = Score(480)
        score.tracks.append(Track(notes=[Note(time, length, 60, 80) for time in range(0, 1920, length)]))
        ids = processor(score)["input_ids"]
        again = processor.decode(ids)
        print(processor.tokenizer.decode(ids[:6]), "...", again.note_num(), "notes")


if __name__ == "__main__":
    main()
