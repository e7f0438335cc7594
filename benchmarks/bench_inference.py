"""What a score costs: windows a second, latency, overhead over the bare models, calls a core.

`make bench-inference` prints Markdown, `--json` one object. Everything is measured on one thread
of one core, in CPU time where not said otherwise, so that neighbours disturb little; medians of
several runs. The material ships with the repository.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from spread_call import LINES, bundled_jpegs, call_records, spread_call
from threadpoolctl import threadpool_limits

from inference.evidence import Evidence, Expert
from inference.experts.face import FaceExpert
from inference.experts.log_mel import LogMel
from inference.experts.onnx_graph import open_graph
from inference.experts.speech import SpeechExpert, window_samples
from inference.experts.text import TextExpert
from inference.experts.threads import limit_threads
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import (
    FIRST_FRAME,
    MODEL_FILE,
    POSITIONS,
    WEIGHTS,
    EmbedsVoice,
    VoiceEncoder,
    whole_frames,
)
from inference.experts.voice_encoder_weights import OnnxUnavailableError
from inference.labels import Modality, Role
from inference.scorer import Scorer
from inference.units import SECOND_NS
from inference.window import CameraFrame, TextSpan, WindowInput
from storage.values import LIVE_RUN
from streams.cli._scoring import open_aligner, open_scorer
from streams.records import Record, decode, encode
from streams.scoring import score_closings, score_drafts, to_window
from streams.settings import Settings
from streams.windows.offline import closings

BATCHES = (1, 4, 16)
WINDOWS = 16
"""Windows that each batch size reads in a run."""
CALLS_TARGET = 20
OVERHEAD_TARGET = 0.25
Table = dict[str, dict[str, float]]
Windows = Sequence[WindowInput]


def main() -> None:
    """Measure everything and print it."""
    imported_mib = _peak_mib()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=7, help="of each measurement")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    asked = parser.parse_args()
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None
    if core is not None:
        os.sched_setaffinity(0, {core})
    limit_threads(1)
    threadpool_limits(1)
    # `research`: the default policy analyses no employee, which would be half of the work
    settings = Settings(torch_threads=1, device=asked.device, policy="research")
    call = spread_call()
    with tempfile.TemporaryDirectory() as folder:
        records = call_records(call, Path(folder))
    windows = call_windows(records, settings)
    speech = SpeechExpert.load(1, device=asked.device)
    voiced, silent = split(speech, windows)
    carried = calls(records, settings, call.seconds, asked.runs)
    peak_mib = _peak_mib()  # before the forms of the encoder that a worker does not load
    report: dict[str, Any] = {
        "machine": machine(asked.device),
        "runs": asked.runs,
        "throughput": throughput(speech, voiced, silent, asked.runs),
        "encoders": encoders(voiced, asked.runs),
        "latency_ms": latency(windows, settings),
        "overhead": overhead(SpeechExpert.load(1), voiced, asked.runs),
        "calls": carried
        | {
            "seconds": call.seconds,
            "speech_share": round(call.speech_share, 3),
            "windows": len(windows),
            "voiced_windows": len(voiced),
        },
        "memory_mib": {"peak": peak_mib, "imported": imported_mib},
    }
    print(json.dumps(report, indent=2) if asked.json else markdown(report))


# the material


def call_windows(records: Sequence[Record], settings: Settings) -> list[WindowInput]:
    """The windows of both parties in the order in which they close."""
    scorer = Scorer([TextExpert.load()])  # its look-back is all that matters here
    aligner = open_aligner(settings, scorer, LIVE_RUN)
    windows: list[WindowInput] = []
    for closing in closings(records, aligner):
        windows += [to_window(draft, LIVE_RUN) for draft in closing.drafts]
        (batch,) = score_closings([closing], _Silent())
        aligner.stored(closing.key, batch.progress)
    return windows


class _Silent:
    """Scores nothing: the windows are wanted."""

    score = Scorer([]).score


def split(speech: SpeechExpert, windows: Windows) -> tuple[list[WindowInput], list[WindowInput]]:
    """Windows in which somebody speaks, and the others."""
    answers = speech.assess(windows)
    pairs = list(zip(windows, answers, strict=True))
    voiced = [window for window, answer in pairs if isinstance(answer, Evidence)]
    return voiced, [window for window, answer in pairs if not isinstance(answer, Evidence)]


def spoken_windows(run: int) -> list[WindowInput]:
    """Windows whose 18 s hold four lines that were never read before."""
    return [
        replace(
            _window(WINDOWS + place),
            words=tuple(
                TextSpan(
                    (place + line) * SECOND_NS,
                    (place + line + 1) * SECOND_NS,
                    f"{LINES[(place + line) % len(LINES)]} {run} {place}",
                    "en",
                )
                for line in range(4)
            ),
        )
        for place in range(WINDOWS)
    ]


def shown_windows(jpegs: Sequence[bytes], run: int) -> list[WindowInput]:
    """A camera of two pictures a second in windows of 3 s that begin each second."""
    pictures = [_unseen(jpeg, run * len(jpegs) + place) for place, jpeg in enumerate(jpegs)]
    frames = [
        CameraFrame(place * SECOND_NS // 2, picture) for place, picture in enumerate(pictures)
    ]
    return [
        replace(_window(start), frames=tuple(frames[2 * start : 2 * start + 6]))
        for start in range(WINDOWS)
    ]


def _window(start_s: int) -> WindowInput:
    return WindowInput(
        tenant="bench",
        run=LIVE_RUN,
        conversation="bench",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=start_s * SECOND_NS,
        end_ns=(start_s + 3) * SECOND_NS,
    )


def _unseen(jpeg: bytes, number: int) -> bytes:
    """The picture with a corner of its own, so that no memory knows it."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    picture[:8, :8] = (number % 200, number // 200 % 200, 128)
    return cv2.imencode(".jpg", picture)[1].tobytes()


# the measurements


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of one run, all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def in_batches(expert: Expert, windows: Windows, size: int) -> None:
    """Read `windows`, `size` at a time."""
    for first in range(0, len(windows), size):
        expert.assess(windows[first : first + size])


def rates(
    work: Callable[[int, int], tuple[Callable[[], object], int]], runs: int
) -> dict[str, float]:
    """Windows a second of CPU time by batch size.

    Args:
        work: of batch size and run: what to do, and how many windows that is.
        runs: medians of so many.
    """
    found: dict[str, float] = {}
    for size in BATCHES:
        times = []
        for run in range(runs + 1):  # the first warms up
            todo, count = work(size, run + size * 1_000)
            times.append(cpu_s(todo) / count)
        found[str(size)] = 1.0 / statistics.median(times[1:])
    return found


def throughput(speech: SpeechExpert, voiced: Windows, silent: Windows, runs: int) -> Table:
    """Windows a second and core by modality."""
    text, face = TextExpert.load(), FaceExpert.load(Settings().models_dir)
    jpegs = bundled_jpegs(2 * WINDOWS + 4)

    def of(
        expert: Expert, make: Callable[[int], Windows]
    ) -> Callable[[int, int], tuple[Callable[[], object], int]]:
        def work(size: int, run: int) -> tuple[Callable[[], object], int]:
            windows = make(run)
            return (lambda: in_batches(expert, windows, size)), len(windows)

        return work

    same = spoken_windows(-1)
    return {
        "voice, spoken": rates(of(speech, lambda _: voiced[:WINDOWS]), runs),
        "voice, silent": rates(of(speech, lambda _: silent[:WINDOWS]), runs),
        "words, new": rates(of(text, spoken_windows), runs),
        "words, as before": rates(of(text, lambda _: same), runs),
        f"face, 2 pictures a second ({face.version})": rates(
            of(face, lambda run: shown_windows(jpegs, run)), runs
        ),
    }


def encoders(voiced: Windows, runs: int) -> Table:
    """Clips a second by form of the voice encoder: of CPU time, on CUDA of wall time."""
    clips = [window_samples(window) for window in voiced[:WINDOWS]]
    forms: dict[str, tuple[EmbedsVoice, Callable[[], float]]] = {
        "int8 on the CPU": (VoiceEncoder.load(1), time.process_time)
    }
    try:
        from inference.experts.voice_encoder_torch import TorchVoiceEncoder  # noqa: PLC0415

        forms["float32 on the CPU"] = TorchVoiceEncoder.load("cpu"), time.process_time
        if torch.cuda.is_available():
            name = f"half on {torch.cuda.get_device_name()}"
            forms[name] = TorchVoiceEncoder.load("cuda"), time.perf_counter
    except OnnxUnavailableError:
        pass  # the float form is an extra
    found: Table = {}
    for name, (form, clock) in forms.items():
        found[name] = {}
        for size in BATCHES:
            times = []
            for _ in range(max(2, runs // 2) + 1):  # the first warms up
                began = clock()
                for first in range(0, len(clips), size):
                    form.embed_many(clips[first : first + size])
                times.append(clock() - began)
            found[name][str(size)] = len(clips) / statistics.median(times[1:])
    return found


def latency(windows: Windows, settings: Settings) -> Table:
    """Milliseconds of one window of voice and words, alone, through experts and fusion."""
    scorer = open_scorer(settings)
    scorer.score(windows[:4], {})
    spent: dict[str, list[tuple[float, float]]] = {"spoken": [], "silent": []}
    for window in windows[4:]:
        began, began_cpu = time.perf_counter(), time.process_time()
        (score,) = scorer.score([window], {}).scores
        times = (time.process_time() - began_cpu, time.perf_counter() - began)
        spent["spoken" if score.modalities[Modality.SPEECH].present else "silent"].append(times)
    found: Table = {}
    for kind, pairs in spent.items():
        cpu, wall = (1e3 * np.array(column) for column in zip(*pairs, strict=True))
        found[kind] = {
            f"{clock} p{percent}": float(np.percentile(times, percent))
            for clock, times in (("CPU", cpu), ("wall", wall))
            for percent in (50, 95)
        }
    return found


def overhead(speech: SpeechExpert, voiced: Windows, runs: int) -> dict[str, float]:
    """The expert over its bare models, in turns on the same windows."""
    detector, log_mel = VoiceActivity.load(1), LogMel()
    graph = open_graph((WEIGHTS / MODEL_FILE).read_bytes(), threads=1)
    sounds = [(window, window_samples(window)) for window in voiced[:WINDOWS]]
    extents = [detector.detect(samples).extent for _, samples in sounds]
    bare, encoder, whole = [], [], []
    for _ in range(runs + 1):
        alone = inner = all_of_it = 0.0
        for (window, samples), extent in zip(sounds, extents, strict=True):
            began = time.process_time()
            detector.detect(samples)
            mel = log_mel(samples[extent])[None]
            first = np.array([POSITIONS - whole_frames(samples[extent])])
            middle = time.process_time()
            graph.run(None, {"input_features": mel, FIRST_FRAME: first})
            ended = time.process_time()
            alone += ended - began
            inner += ended - middle
            all_of_it += cpu_s(lambda one=window: speech.assess([one]))
        bare.append(alone)
        encoder.append(inner)
        whole.append(all_of_it)
    ratios = [slow / fast - 1.0 for slow, fast in zip(whole[1:], bare[1:], strict=True)]
    per_ms = 1e3 / len(sounds)
    return {
        "expert_ms": statistics.median(whole[1:]) * per_ms,
        "detector_mel_and_graph_ms": statistics.median(bare[1:]) * per_ms,
        "graph_ms": statistics.median(encoder[1:]) * per_ms,
        "overhead": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }


def calls(
    records: Sequence[Record], settings: Settings, seconds: float, runs: int
) -> dict[str, Any]:
    """Two-party calls of voice and words that one core carries, from wire records to scores."""
    values = [(type(record), encode(record)) for record in records]
    found: dict[str, Any] = {}
    for name, live in (("final", False), ("final_and_provisional", True)):
        carried = []
        for _ in range(runs):
            scorer = open_scorer(settings)  # a new one: nothing of the last run is remembered
            scorer.score([_window(0)], {})
            spent = cpu_s(
                lambda one=scorer, also=live: _score_call(values, one, settings, live=also)
            )
            carried.append(seconds / spent)
        found[name] = {
            "median": statistics.median(carried),
            "least": min(carried),
            "most": max(carried),
        }
    return found


def _score_call(
    values: Sequence[tuple[type[Record], bytes]], scorer: Scorer, settings: Settings, *, live: bool
) -> None:
    """Decode, align, decode the sound, score; if `live`, each window before it is final too."""
    aligner = open_aligner(settings, scorer, LIVE_RUN)
    for closing in closings((decode(kind, value) for kind, value in values), aligner):
        if live:
            score_drafts([replace(one, final=False) for one in closing.drafts], LIVE_RUN, scorer)
        (batch,) = score_closings([closing], scorer)
        aligner.stored(closing.key, batch.progress)


# what is printed


def machine(device: str) -> dict[str, Any]:
    """Where this was measured."""
    head = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(head, capture_output=True, text=True, check=False)  # noqa: S603
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "device": device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": version("onnxruntime"),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": found.stdout.strip() or "unknown",
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")


def markdown(report: dict[str, Any]) -> str:
    """The report as tables."""
    at, over, call = report["machine"], report["overhead"], report["calls"]
    sizes = " | ".join(f"batch {size}" for size in BATCHES)
    lines = [
        (
            f"{at['processor']}, {at['cores']} cores, load {at['load']}; one core, one thread, "
            f"device {at['device']}; Python {at['python']}, torch {at['torch']}, onnxruntime "
            f"{at['onnxruntime']}; {at['date']}, commit {at['commit']}; {report['runs']} runs."
        ),
        "",
        f"| Windows a second of CPU time | {sizes} |",
        "|---|" + "---|" * len(BATCHES),
        *(_row(name, row, ".0f") for name, row in report["throughput"].items()),
        "",
        f"| Voice encoder, clips a second | {sizes} |",
        "|---|" + "---|" * len(BATCHES),
        *(_row(name, row, ".1f") for name, row in report["encoders"].items()),
        "",
        "| A window of voice and words | CPU p50 | CPU p95 | wall p50 | wall p95 |",
        "|---|---|---|---|---|",
        *(_row(name, row, ".1f", " ms") for name, row in report["latency_ms"].items()),
        "",
        (
            f"Speech expert {over['expert_ms']:.1f} ms of CPU time a spoken window; its models "
            f"alone (detector, log-mel, graph) {over['detector_mel_and_graph_ms']:.1f} ms, the "
            f"graph alone {over['graph_ms']:.1f} ms. Overhead over the models "
            f"{100 * over['overhead']:.0f} % ({100 * over['least']:.0f} to "
            f"{100 * over['most']:.0f} %), target at most {100 * OVERHEAD_TARGET:.0f} %."
        ),
        "",
        (
            "Two-party calls of voice and words that one core carries at hop 1 s, both parties "
            f"scored: {_range(call['final'])}; with every window scored provisionally first "
            f"{_range(call['final_and_provisional'])}; target at least {CALLS_TARGET}. The call "
            f"has {call['seconds']:.0f} s, {100 * call['speech_share']:.0f} % of them speech of "
            f"one of the two; {call['voiced_windows']} of {call['windows']} windows pass the "
            "encoder."
        ),
        "",
        (
            f"Peak memory with all default experts {report['memory_mib']['peak']:.0f} MiB, of "
            f"which imported libraries {report['memory_mib']['imported']:.0f} MiB."
        ),
    ]
    return "\n".join(lines)


def _row(name: str, row: dict[str, float], digits: str, unit: str = "") -> str:
    return f"| {name} | " + " | ".join(f"{value:{digits}}{unit}" for value in row.values()) + " |"


def _range(found: dict[str, float]) -> str:
    return f"{found['median']:.0f} ({found['least']:.0f} to {found['most']:.0f})"


if __name__ == "__main__":
    sys.exit(main())
