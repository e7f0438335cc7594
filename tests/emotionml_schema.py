"""The W3C's schema and vocabularies of EmotionML 1.0, from a package that carries them.

Maven fetches it once into `.services`; a test that needs it is skipped where it cannot.
"""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from lxml import etree

PACKAGE = "de.dfki.mary:emotionml-checker-java:1.2.1"
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
FOLDER = Path(__file__).parents[1] / ".services" / "emotionml"
PATIENCE_S = 120


def emotionml_schema() -> etree.XMLSchema:
    """Opens it; skips the test where it is not here and cannot be fetched."""
    return etree.XMLSchema(etree.parse(_fetched("emotionml.xsd")))


def vocabularies() -> dict[str, tuple[str, set[str]]]:
    """Kind and names of each of the W3C's vocabularies, by id; skips as `emotionml_schema`."""
    document = etree.parse(_fetched("emotion-voc.emotionml"))
    names = {"n": "http://www.w3.org/2009/10/emotionml"}
    return {
        one.get("id"): (one.get("type"), {item.get("name") for item in one})
        for one in document.xpath("n:vocabulary", namespaces=names)
    }


def _fetched(name: str) -> Path:
    path = FOLDER / "emotionml" / name
    if not path.exists():
        _fetch()
    return path


def _fetch() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("no schema of EmotionML: Maven would fetch it, and is not installed")
    command = [maven, "-q", "-B", GOAL, f"-Dartifact={PACKAGE}", f"-DoutputDirectory={FOLDER}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        pytest.skip(f"no schema of EmotionML: Maven could not fetch {PACKAGE} ({exc})")
    [jar] = FOLDER.glob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        archive.extractall(
            FOLDER, [name for name in archive.namelist() if name.startswith("emotionml/emo")]
        )
