"""The formats by name, and how each travels over HTTP."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from streams.serving.exports import comma_separated, emotion_ml, json_lines, parquet, web_vtt
from streams.serving.exports.source import Encode


class Format(StrEnum):
    """What an export may be asked for as."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    VTT = "vtt"
    EMOTIONML = "emotionml"


@dataclass(frozen=True, slots=True)
class Written:
    """How a format is written and called."""

    encode: Encode
    media_type: str
    suffix: str


WRITTEN: Final = {
    Format.JSONL: Written(json_lines.encode, "application/x-ndjson", "jsonl"),
    Format.CSV: Written(comma_separated.encode, "text/csv; charset=utf-8", "csv"),
    Format.PARQUET: Written(parquet.encode, "application/vnd.apache.parquet", "parquet"),
    Format.VTT: Written(web_vtt.encode, "text/vtt; charset=utf-8", "vtt"),
    Format.EMOTIONML: Written(emotion_ml.encode, "application/emotionml+xml", "emotionml"),
}
