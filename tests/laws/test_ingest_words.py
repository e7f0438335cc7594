"""Whatever stands in a transcript, it is read or refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.labels import Role
from streams.ingest.errors import MediaError
from streams.ingest.media import MediaFile
from streams.ingest.parties import Party
from streams.ingest.source import FileSource, SourceOptions, records
from streams.ingest.transcripts import read_transcript
from streams.records import TranscriptSegment, decode, encode

PIECES = st.sampled_from(
    [
        "WEBVTT", "\n", "\n", "\n\n", " ", "1", "00:00:01,000", "00:00:02.500", "00:03.000",
        "<00:01.000>", " --> ", "-->", "->", "NOTE ", "STYLE", "<v Ann>", "</v>", "{\\an8}", "\\N",
        "\u2028", "\x00", "\ufeff", "hello", "call 1 Ann 0 1 hello", ";;", "nan", "1e999", "-1",
        '{"start": 0, "end": 1, "text": "a"}', '{"start":', "}", '"\\ud800"', "&#0;", "&#xD800;",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=60))


@pytest.mark.parametrize("name", ["w.stm", "w.vtt", "w.srt", "w.jsonl"])
@settings(max_examples=150, deadline=None)
@given(text=TEXTS, headed=st.booleans())
def test_any_text_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str, *, headed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{name}-any{Path(name).suffix}"
    whole = f"WEBVTT\n\n{text}" if headed and name == "w.vtt" else text
    path.write_bytes(whole.encode("utf-8", "surrogatepass"))
    refusals: list[str] = []
    try:
        words = read_transcript(path)
    except MediaError as exc:
        refusals.append(str(exc))
        words = ()
    assert all(line.isprintable() for line in refusals)
    assert list(words) == sorted(words, key=lambda w: (w.end_ns, w.start_ns))
    source = FileSource(
        media=MediaFile(path, (), (), 0),
        parties=(Party("ann", Role.CUSTOMER, words=words),),
        options=SourceOptions(),
        conversation="c-1",
        start_ns=0,
    )
    segments = [
        item.record
        for item in records(source, pytest.fail)
        if isinstance(item.record, TranscriptSegment)
    ]
    assert [decode(TranscriptSegment, encode(segment)) for segment in segments] == segments
