"""`affectstream evaluate text`: the figures of the text expert."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from inference.evaluation.report import EvaluationReport
from streams.cli._manifest import ManifestOptions


def text(
    *,
    data: Path | None = None,
    weights: Path | None = None,
    plus: bool = False,
    models_dir: Path | None = None,
    threads: int = 1,
    errors: bool = True,
    json: bool = False,
    own: Annotated[ManifestOptions | None, Parameter(name="*")] = None,
) -> None:
    """Judge the text expert on the test split of GoEmotions, or on lines of your own.

    Example: `affectstream evaluate text --data goemotions --json`

    Args:
        data: folder with ekman_test.tsv and ekman_labels.txt.
        weights: folder of the weights; default is the shipped ones.
        plus: with sentence vectors, as under the setting `text_plus`.
        models_dir: where their encoder lies; default is the setting `models_dir`.
        threads: of the encoder.
        errors: also with 5, 10 and 20 % of the words misheard; takes most of the time.
        json: print one JSON object instead of tables.
        own: material of your own.
    """
    from inference.experts.text import TextExpert
    from inference.labels import Modality
    from streams.cli._judging import judge, show
    from streams.settings import load

    own = own or ManifestOptions()
    own.check_with(data)
    models = models_dir or load().models_dir
    if data is None:

        def expert() -> TextExpert:
            if plus:
                return TextExpert.load_plus(models, threads, weights)
            return TextExpert.load(weights)

        judge(own, Modality.TEXT, expert, json=json)
        return
    encoder_dir = models if plus else None
    report = judge_text(data, weights, plus=encoder_dir, threads=threads, errors=errors)
    show(report, own, json=json)


def judge_text(
    data: Path,
    weights: Path | None = None,
    *,
    plus: Path | None = None,
    threads: int = 1,
    errors: bool = True,
) -> EvaluationReport:
    """Read the test split of `data` and judge; says on stderr what it does.

    Args:
        data: folder of GoEmotions.
        weights: folder of the weights; None takes the shipped ones.
        plus: with sentence vectors of the encoder in this folder of models.
        threads: of the encoder.
        errors: also with words misheard.
    """
    from inference.evaluation.text import ERROR_RATES, evaluate_text
    from inference.experts.text import WEIGHTS
    from inference.experts.text_encoder import RememberingEncoder, SentenceEncoder
    from inference.experts.text_model import TextModel
    from inference.experts.text_plus import TextPlus
    from inference.fusion.artefact import Fusers

    model: TextModel | TextPlus = TextModel.load(weights or WEIGHTS)
    if plus is not None:
        encoder = RememberingEncoder(SentenceEncoder.load(plus, threads), plus / "vectors")
        model = TextPlus.load(weights or WEIGHTS, encoder)
    with Console(stderr=True).status("reading") as status:
        return evaluate_text(
            data,
            model,
            Fusers.load().default,
            error_rates=ERROR_RATES if errors else (),
            report=status.update,
        )
