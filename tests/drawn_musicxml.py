"""Small works in MusicXML that aim at each rule of how they are played, drawn from a seed."""

import io
import random
import zipfile

DIVISIONS = (1, 2, 4, 8, 12, 10080)
METERS = ((4, 4), (3, 4), (2, 2), (12, 8), (3, 8))
ACCIDENTALS = ("natural", "sharp", "flat", "double-sharp")
ALTERS = dict(zip(ACCIDENTALS, (0, 1, -1, 2), strict=True))
TYPES = {1: "quarter", 2: "half", 4: "whole", 8: "breve", 0.5: "eighth", 0.25: "16th"}
INSTRUMENTS = (
    None,
    (1, "Instrument 3"),
    (1, "Piano"),
    (1, "Grand Piano"),
    (7, "Harpsichord"),
    (53, "Soprano"),
    (20, "Instrument 9"),
)
WORDS = ("Adagio", "Heilig (2 x)", "ohne Worte")
ARTICULATIONS = ("staccato", "staccatissimo", "tenuto", "accent", "strong-accent")
LYRICS = (
    "<text>Wört{}</text>",
    "<syllabic>end</syllabic><text>lang</text><extend/>",
    "<syllabic>end</syllabic><text>co </text><elision> </elision><syllabic>single</syllabic><text>e{}</text>",
)
CHORD_SYMBOL = "<harmony><root><root-step>{}</root-step></root><kind text=''>major</kind></harmony>"


def draw_musicxml(seed):
    """A `score-partwise` of one to three parts."""
    draw = random.Random(seed)
    bars = draw.randint(1, 6)
    software = draw.choice(("MuseScore 2.1.0", "Finale 2008 for Macintosh"))
    repeats = draw_repeats(draw, bars)
    listed, parts = "", ""
    for number in range(1, draw.randint(1, 3) + 1):
        listed += part_entry(draw, number)
        parts += f'<part id="P{number}">{"".join(PartDrawer(draw).bars(repeats))}</part>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="3.0">'
        "<work><work-title>Drawn</work-title></work>"
        f"<identification><encoding><software>{software}</software></encoding></identification>"
        f"<part-list>{listed}</part-list>{parts}</score-partwise>"
    )


def zipped(musicxml, name="score.xml"):
    """As the bytes of a compressed file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr(name, musicxml)
    return content.getvalue()


def draw_repeats(draw, bars):
    """Barlines of each bar, that match: none, repeats in a row or in one another, or a first and a second ending."""
    left, right = [""] * bars, [""] * bars
    kind = draw.choice(("none", "row", "row", "nested", "endings"))
    if kind == "row":
        start = 0
        while start < bars:
            end = draw.randint(start, bars - 1)
            if draw.random() < 0.7:
                left[start] = "" if draw.random() < 0.3 else '<repeat direction="forward"/>'
                right[end] = '<repeat direction="backward"/>'
            start = end + 1
    elif kind == "nested" and bars > 2:
        left[0] = left[1] = '<repeat direction="forward"/>'
        right[bars - 2] = right[bars - 1] = '<repeat direction="backward"/>'
    elif kind == "endings" and bars > 2:
        left[bars - 2], left[bars - 1] = '<ending number="1" type="start"/>', '<ending number="2" type="start"/>'
        right[bars - 2] = '<ending number="1" type="stop"/><repeat direction="backward"/>'
        right[bars - 1] = '<ending number="2" type="stop"/>'
        if draw.random() < 0.5:
            left[draw.randrange(bars - 2)] = '<repeat direction="forward"/>'
    return [
        (
            line and f'<barline location="left">{line}</barline>',
            other and f'<barline location="right">{other}</barline>',
        )
        for line, other in zip(left, right, strict=True)
    ]


def part_entry(draw, number):
    instrument, sound = draw.choice(INSTRUMENTS), ""
    if instrument:
        program, name = instrument
        sound = f'<score-instrument id="I{number}"><instrument-name>{name}</instrument-name></score-instrument>'
        sound += f'<midi-instrument id="I{number}"><midi-channel>{number}</midi-channel>'
        sound += f"<midi-program>{program}</midi-program></midi-instrument>"
    name = draw.choice(("Soprano", "Alto", "Cornet 1", "Oboe d'amore"))
    return f'<score-part id="P{number}"><part-name>{name}</part-name>{sound}</score-part>'


class PartDrawer:
    """Draws the bars of one part."""

    def __init__(self, draw):
        self.draw = draw
        self.divisions = draw.choice(DIVISIONS)
        self.meter = draw.choice(METERS)
        self.tied = None

    def bars(self, barlines):
        for number, (left, right) in enumerate(barlines, 1):
            yield f'<measure number="{number}">{left}{self._attributes(number)}{self._music()}{right}</measure>'

    def _attributes(self, number):
        draw, content = self.draw, ""
        if number == 1:
            content += f"<divisions>{self.divisions}</divisions>"
        if number == 1 or draw.random() < 0.15:
            mode = draw.choice(("", "<mode>major</mode>", "<mode>minor</mode>"))
            content += f"<key><fifths>{draw.randint(-7, 7)}</fifths>{mode}</key>"
        if number == 1 or draw.random() < 0.15:
            self.meter = draw.choice(METERS)
            content += f"<time><beats>{self.meter[0]}</beats><beat-type>{self.meter[1]}</beat-type></time>"
        tempo = f'<sound tempo="{draw.choice((60, 72.5, 96, 133))}"/>' if draw.random() < 0.2 else ""
        return (content and f"<attributes>{content}</attributes>") + tempo

    def _music(self):
        """A whole bar, one that is short or long, a rest alone, nothing, or two voices."""
        draw, bar = self.draw, self.meter[0] * 4 / self.meter[1]
        kind = draw.choices(("bar", "pickup", "long", "rest", "empty", "voices"), (8, 2, 1, 2, 1, 2))[0]
        if kind == "empty":
            return ""
        if kind == "rest":
            length, marked = draw.choice(((4, False), (bar, True), (bar, False), (8, False)))
            return self._rest(length, ' measure="yes"' if marked else "", draw.random() < 0.5 and not marked)
        if kind == "pickup":
            return self._line(max(bar - 1, 1))
        if kind == "long":
            return self._line(bar + 1)
        if kind == "voices":
            back = f"<backup><duration>{self._count(bar)}</duration></backup>"
            second = self._line(bar - 1, "2") + self._gap("2") if draw.random() < 0.3 else self._line(bar, "2")
            return self._line(bar, "1") + back + second
        gap = self._gap() if draw.random() < 0.2 else ""
        return self._line(bar - (1 if gap else 0)) + gap if draw.random() < 0.5 else gap + self._line(bar)

    def _gap(self, voice=""):
        tag = f"<voice>{voice}</voice>" if voice else ""
        return f"<forward><duration>{self._count(1)}</duration>{tag}</forward>"

    def _line(self, length, voice=""):
        content = ""
        while length > 0:
            lengths = [one for one in (0.25, 0.5, 1, 2, 4) if one <= length and one * self.divisions >= 1]
            one = self.draw.choice([one for one in lengths if one * self.divisions % 1 == 0] or [length])
            content += self._sound(one, voice)
            length -= one
        return content

    def _sound(self, length, voice):
        draw = self.draw
        if draw.random() < 0.15:
            return self._rest(length, voice=voice)
        if draw.random() < 0.05:
            words = f"<direction-type><words>{draw.choice(WORDS)}</words></direction-type>"
            more = draw.choice((f"<sound tempo='{draw.randint(40, 90)}'/>", f"<offset>{self._count(8)}</offset>"))
            return f"<direction>{words}{more}</direction>" + self._note(length, voice)
        if draw.random() < 0.05:
            return CHORD_SYMBOL.format(draw.choice("CDE")) + self._note(length, voice)
        grace = self._note(0, voice) if draw.random() < 0.05 else ""
        if draw.random() < 0.1:
            others = "".join(self._note(length, voice, chord=True) for _ in range(draw.randint(1, 2)))
            return grace + self._note(length, voice, may_tie=False) + others
        return grace + self._note(length, voice)

    def _note(self, length, voice, chord=False, may_tie=True):
        draw, tie = self.draw, ""
        pitch = self.tied
        if pitch is None or draw.random() < 0.2:
            pitch = (draw.choice("CDEFGAB"), draw.choice((None, None, *ACCIDENTALS)), draw.randint(2, 6))
        step, accidental, octave = pitch
        kinds = []
        if self.tied and draw.random() < 0.9:
            kinds.append("stop")
        self.tied = None
        if may_tie and not chord and length and draw.random() < 0.3:
            kinds.append("start")
            self.tied = pitch
        tie = "".join(f'<tie type="{kind}"/>' for kind in kinds)
        is_written = accidental and draw.random() < 0.5
        alter = f"<alter>{ALTERS[accidental]}</alter>" if accidental else ""
        lyrics = range(1, draw.randint(1, 2) + 1) if draw.random() < 0.2 else ()
        return "".join(
            (
                "<note>",
                "<grace/>" if not length else "",
                "<chord/>" if chord else "",
                f"<pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>",
                f"<duration>{self._count(length)}</duration>" if length else "",
                tie,
                voice and f"<voice>{voice}</voice>",
                f"<type>{TYPES[length]}</type>" if length in TYPES else "<type>eighth</type>" if not length else "",
                f"<accidental>{accidental}</accidental>" if is_written else "",
                self._notations(may_articulate=bool(may_tie and not chord and length)),
                *(f'<lyric number="{line}">{draw.choice(LYRICS).format(line)}</lyric>' for line in lyrics),
                "</note>",
            )
        )

    def _notations(self, may_articulate):
        draw, marks = self.draw, ""
        if draw.random() < 0.1:
            marks += "<fermata/><ornaments><trill-mark/><wavy-line type='start'/></ornaments>"
        if may_articulate and draw.random() < 0.1:
            marks += f"<articulations><{draw.choice(ARTICULATIONS)}/></articulations>"
        return marks and f"<notations>{marks}</notations>"

    def _rest(self, length, marked="", typed=True, voice=""):
        kind = f"<type>{TYPES[length]}</type>" if typed and length in TYPES else ""
        tag = f"<voice>{voice}</voice>" if voice else ""
        return f"<note><rest{marked}/><duration>{self._count(length)}</duration>{tag}{kind}</note>"

    def _count(self, length):
        return max(1, round(length * self.divisions))
