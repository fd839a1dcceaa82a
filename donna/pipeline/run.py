"""All of DONNA, phase by phase: reference, block library, samples, predictor, search, winners.

Each phase is one or two jobs of a service. A request is named after the run, so a run that was interrupted finds
its jobs again and goes on; what is trained or measured already is not done twice.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from donna.client import Client
from donna.errors import FailedPrecondition, InvalidArgument
from donna.pipeline import messages
from donna.pipeline.baselines import baseline_search, baselines, uniform
from donna.pipeline.blame import blame
from donna.pipeline.bounds import check_costs, check_feasibility, check_size
from donna.pipeline.display import Bar, Display, Silence, show_progress
from donna.pipeline.evaluations import evaluations_csv
from donna.pipeline.folder import RunFolder
from donna.pipeline.improvement import Round, unknown_of_front
from donna.pipeline.outcome import Outcome
from donna.pipeline.plan import PROBED, make_plan, measurement_s, recipes
from donna.pipeline.result import build_result, front_csv, int8_name
from donna.pipeline.spec import Spec
from donna.pipeline.turns import ROUNDS, Latency
from donna.pipeline.winners import choose_winners
from donna.space import Architecture
from donna.v1 import common_pb2, predictor_pb2, profiler_pb2, searcher_pb2

Samples = list[predictor_pb2.AccuracySample]
"""Architectures with their accuracy after a short finetuning."""


def run(client: Client, spec: Spec, folder: RunFolder, display: Display | None = None) -> dict[str, Any]:
    """Runs all phases and returns the result, which is also written to the folder.

    Raises InvalidArgument or FailedPrecondition before any work when the spec cannot be run, JobFailed when a
    phase fails.
    """
    return Run(client, spec, folder, display or Silence()).through()


class Run:
    """One run: the phases in order, and what they hand to each other."""

    def __init__(self, client: Client, spec: Spec, folder: RunFolder, display: Display) -> None:
        self.client = client
        self.spec = spec
        self.folder = folder
        self.display = display
        self.device = next(iter(client.profilers), "")
        self.outcome = Outcome()
        self.reference_onnx = b""
        self.baselines: list[dict[str, Any]] = []

    def through(self) -> dict[str, Any]:
        """From the spec to the result."""
        self.check()
        library = self.build_library(self.prepare_reference())
        self.check_bounds(library)
        samples, judges = self.finetune_samples(library)
        predictor = self.fit_predictor(library, samples, judges)
        self.search(library, predictor)
        self.improve(library, samples, judges)
        self.choose()
        self.measure_baselines(library)
        self.finetune_winners(library)
        self.measure_winners()
        return self.write()

    def check(self) -> None:
        """Everything that can be refused is refused here, before any work."""
        spec = self.spec
        with self._phase("check", "Checking"):
            known = {device.name: device for device in self._devices()}
            self.outcome.devices = known
            for place, item in self._latency_devices():
                if item not in known:
                    raise InvalidArgument.of(
                        place, f"{item!r} is no device; known are {', '.join(sorted(known))}"
                    )
            trained = {}
            for phase, request in recipes(spec):
                with blame(PROBED[phase]):
                    trained[phase] = self.client.create(request, validate_only=True)
            library = self.client.create(messages.block_library(spec, None), validate_only=True)
            check_size(spec, int(library.num_architectures or 0))
            check_costs(spec, library.plan.costs)
            plan = make_plan(spec, library, trained, measurement_s(self.client, self.device))
            self.folder.keep_plan({p.name: p.seconds for p in plan.phases if p.seconds is not None})

    def _devices(self) -> Sequence[searcher_pb2.SearchDevice]:
        return self.client.searcher.ListSearchDevices(searcher_pb2.ListSearchDevicesRequest()).search_devices

    def _latency_devices(self) -> Iterator[tuple[str, str]]:
        for group in ("objectives", "bounds"):
            for index, item in enumerate(getattr(self.spec.search, group)):
                if item.metric == "latency_ms":
                    yield f"search.{group}[{index}].device", item.device or self.device

    def prepare_reference(self) -> common_pb2.Artifact | None:
        """Trains the reference, or takes it as it is, and measures it: that is what the search has to beat.

        Returns its weights, None where its provider brings them. Its test figures come at the end.
        """
        reference = self.spec.reference
        given = self._upload(reference.weights) if reference.weights is not None else None
        title = "Training the reference" if reference.train else "Evaluating the reference"
        with self._phase("reference", title) as bar:
            network = self._job("reference", messages.reference_alone(self.spec, given), bar).networks[0]
        with self._phase("reference", "Measuring the reference") as bar:
            self.reference_onnx = self.client.download(network.model.onnx)
            latencies = self._measure({"reference": self.reference_onnx}, bar)["reference"]
        figures = {device: latency.median_ms for device, latency in latencies.items()}
        self.outcome.reference_costs = {
            "parameters": float(network.parameters),
            "macs": float(network.macs),
        }
        told = ", ".join(f"{median_ms:.3f} ms on {device}" for device, median_ms in figures.items())
        self.display.say(f"reference: {100 * network.accuracy:.1f} % on the validation part, {told}")
        return network.weights if reference.train else given

    def _upload(self, path: Path) -> common_pb2.Artifact:
        try:
            return self.client.upload(path)
        except OSError as error:
            raise InvalidArgument.of(
                "reference.weights", f"{path} cannot be read: {error.strerror}"
            ) from None

    def build_library(self, weights: common_pb2.Artifact | None) -> common_pb2.Artifact:
        """Distils every option of every block."""
        with self._phase("library", "Distilling the block library") as bar:
            library = self._job("library", messages.block_library(self.spec, weights), bar)
        cost = library.job.cost
        if cost.blocks_trained:
            self.display.say(
                f"{cost.blocks_trained} blocks trained, {cost.blocks_reused} known from earlier runs"
            )
        else:
            self.display.say(f"no block trained again: all {cost.blocks_reused} are known from earlier runs")
        self.outcome.library = library
        return library.manifest

    def check_bounds(self, library: common_pb2.Artifact) -> None:
        """Measures the smallest network: a latency bound that nothing can meet ends the run here."""
        if self.spec.search.bounds:
            with self._phase("bounds", "Checking the bounds"):
                spec = messages.search(self.spec, library, "", self.device)
                check_feasibility(self.client.create(spec, validate_only=True).feasibility)

    def _measure(self, models: Mapping[str, bytes], bar: Bar) -> dict[str, dict[str, Latency]]:
        """The latencies of ONNX models on every device, taken in turns past the cache."""
        settings = messages.measurement(self.spec)
        taken: dict[tuple[str, str], list[profiler_pb2.MeasurementResult]] = defaultdict(list)
        turns = list(product(range(ROUNDS), self.client.profilers, models))
        for done, (_, device, name) in enumerate(turns):
            bar.update(done, len(turns), name, None)
            taken[name, device].append(
                self.client.devices.measure(device, models[name], settings, skip_cache=True)
            )
        return {
            name: {device: Latency.of(taken[name, device]) for device in self.client.profilers}
            for name in models
        }

    def finetune_samples(self, library: common_pb2.Artifact) -> tuple[Samples, Samples]:
        """Finetunes the architectures that the predictor is fitted to, and those that judge it."""
        spec = self.spec.predictor
        design = f"SAMPLING_DESIGN_{spec.design.upper()}"
        chosen = self.sample(library, spec.samples, design)
        judges = self.sample(library, spec.holdout, "SAMPLING_DESIGN_UNIFORM", exclude=chosen)
        with self._phase("samples", f"Finetuning {len(chosen) + len(judges)} sampled networks") as bar:
            samples = self.finetuned("samples", library, [*chosen, *judges], bar)
        return samples[: len(chosen)], samples[len(chosen) :]

    def finetuned(
        self, phase: str, library: common_pb2.Artifact, architectures: Sequence[Architecture], bar: Bar
    ) -> Samples:
        """Architectures with the accuracy that they reach after a short finetuning."""
        job = self._job(phase, messages.samples(self.spec, library, architectures), bar)
        for network in job.networks:
            if network.error.reason:
                raise FailedPrecondition(f"a sampled network could not be trained: {network.error.message}")
        return [
            predictor_pb2.AccuracySample(architecture=n.network.architecture, accuracy=n.accuracy)
            for n in job.networks
        ]

    def sample(
        self,
        library: common_pb2.Artifact,
        count: int,
        design: str,
        *,
        exclude: Sequence[Architecture] = (),
        candidates: Sequence[Architecture] = (),
    ) -> list[Architecture]:
        """Architectures worth finetuning: none of `exclude`, and only of `candidates` if there are any."""
        if not count:
            return []
        request = predictor_pb2.SampleArchitecturesRequest(
            library=library,
            num_architectures=count,
            design=design,
            seed=self.spec.seed,
            exclude=[common_pb2.Architecture(choices=known.choices) for known in exclude],
            candidates=[common_pb2.Architecture(choices=candidate.choices) for candidate in candidates],
        )
        found = self.client.predictor.SampleArchitectures(request).architectures
        return [Architecture(choices=tuple(architecture.choices)) for architecture in found]

    def fit_predictor(
        self, library: common_pb2.Artifact, samples: Samples, judges: Samples, phase: str = "predictor"
    ) -> predictor_pb2.Predictor:
        """Fits the accuracy predictor, and judges it on networks that it has not seen."""
        with self._phase("predictor", "Fitting the accuracy predictor") as bar:
            predictor = self._job(phase, messages.predictor(self.spec, library, samples), bar)
            if judges:
                self.outcome.holdout = self._judged(predictor, judges)
        self.outcome.predictor = predictor
        agreement = predictor.leave_one_out.kendall_tau.value
        judged = (
            f", {self.outcome.holdout.agreement.kendall_tau.value:.2f} held out"
            if self.outcome.holdout
            else ""
        )
        self.display.say(f"Kendall tau of the predictor: {agreement:.2f} leave-one-out{judged}")
        return predictor

    def _judged(
        self, predictor: predictor_pb2.Predictor, samples: Samples
    ) -> predictor_pb2.EvaluatePredictorResponse:
        request = predictor_pb2.EvaluatePredictorRequest(predictor=predictor.name, samples=samples)
        return self.client.predictor.EvaluatePredictor(request)

    def search(
        self,
        library: common_pb2.Artifact,
        predictor: predictor_pb2.Predictor,
        phase: str = "search",
        initial: Sequence[common_pb2.Architecture] = (),
    ) -> None:
        """Searches the front, from the `initial` networks if there are any."""
        with self._phase("search", "Searching the front") as bar:
            spec = messages.search(self.spec, library, predictor.name, self.device)
            spec.initial.extend(initial)
            found = self._job(phase, spec, bar)
        self.outcome.search = found
        measured = sum(found.num_measured.values())
        self.display.say(
            f"{found.num_evaluations} networks evaluated, {measured} measured, {len(found.front)} on the front"
        )

    def improve(self, library: common_pb2.Artifact, samples: Samples, judges: Samples) -> None:
        """Finetunes the networks of the front that tell the predictor most, fits it again and searches again.

        As often as the spec says, or until every network of the front has been finetuned.
        """
        for number in range(1, self.spec.improve.rounds + 1):
            before, front = self.outcome.predictor, self.outcome.search
            assert before and front  # noqa: S101 - the phases run in order
            unknown = unknown_of_front(front.front, [*samples, *judges])
            count = min(self.spec.improve.networks, len(unknown))
            if count < 2:
                self.display.say("no more to improve: the networks of the front have been finetuned")
                return
            known = [_architecture(sample) for sample in (*samples, *judges)]
            design = "SAMPLING_DESIGN_D_OPTIMAL"
            chosen = self.sample(library, count, design, exclude=known, candidates=unknown)
            with self._phase("samples", f"Round {number}: finetuning {count} networks of the front") as bar:
                fresh = self.finetuned(f"improve-{number}-samples", library, chosen, bar)
            judged = self._judged(before, fresh)
            samples = [*samples, *fresh]
            predictor = self.fit_predictor(library, samples, judges, f"improve-{number}-predictor")
            seeds = [point.architecture for point in front.front]
            self.search(library, predictor, f"improve-{number}-search", seeds)
            self.outcome.rounds.append(Round(predictor=before, search=front, judged=judged))

    def choose(self) -> None:
        """Chooses what is finetuned, within what the reference costs.

        The reference is measured once more for it: since it was measured first the device may have changed its pace,
        and the front has the latencies of now.
        """
        front = self.outcome.search
        assert front  # noqa: S101 - the phases run in order
        with self._phase("search", "Measuring the reference beside the front") as bar:
            beside = self._measure({"reference": self.reference_onnx}, bar)["reference"]
        self.outcome.beside_search = beside
        cost, key = self._first_cost()
        costs = self.outcome.reference_costs | {
            f"latency_ms:{d}": known.median_ms for d, known in beside.items()
        }
        points = [(point.predicted_accuracy, cost(point)) for point in front.front]
        self.outcome.chosen = choose_winners(points, self.spec.finetune.winners, costs.get(key))

    def measure_baselines(self, library: common_pb2.Artifact) -> None:
        """Measures what one gets without a search: networks with the same option in every block."""
        manifest = self.client.manifest(library)
        networks = uniform(manifest)
        if not networks:
            return
        predictor = self.outcome.predictor
        assert predictor  # noqa: S101 - the phases run in order
        spec = messages.search(self.spec, library, predictor.name, self.device)
        with self._phase("baselines", f"Measuring {len(networks)} networks of one option each") as bar:
            found = self._job("baselines", baseline_search(spec, networks.values()), bar)
        self.baselines = baselines(manifest, networks, self.client.evaluations(found.name))

    def _first_cost(self) -> tuple[Callable[[searcher_pb2.FrontPoint], float], str]:
        """The first cost among the objectives, and what the reference's is called in `reference_costs`."""
        first = next((o for o in self.spec.search.objectives if o.metric != "accuracy"), None)
        if first is None:
            return lambda point: -point.predicted_accuracy, ""
        if first.metric == "latency_ms":
            device = first.device or self.device
            return lambda point: point.latency_ms[device], f"latency_ms:{device}"
        return lambda point: float(getattr(point, first.metric)), first.metric

    def finetune_winners(self, library: common_pb2.Artifact) -> None:
        """Finetunes and exports the winners, and exports the reference beside them; the test part is read here."""
        assert self.outcome.search is not None  # noqa: S101 - the phases run in order
        chosen = [
            Architecture(choices=tuple(self.outcome.search.front[index].architecture.choices))
            for index in self.outcome.chosen
        ]
        with self._phase("finetune", f"Finetuning and exporting {len(chosen)} winners") as bar:
            job = self._job("winners", messages.winners(self.spec, library, chosen), bar)
            self.outcome.winners = list(job.networks)
        with self._phase("finetune", "Exporting the reference") as bar:
            job = self._job("reference-export", messages.reference_export(self.spec, library), bar)
            self.outcome.reference = job.networks[0]

    def measure_winners(self) -> None:
        """Measures the exported models, and the reference, on every device."""
        exported = {"reference": self.outcome.reference} | {
            self.winner_name(index): winner for index, winner in enumerate(self.outcome.winners)
        }
        with self._phase("measure", "Measuring the exported models") as bar:
            for name, network in exported.items():
                if network is None or network.error.reason:
                    raise FailedPrecondition(
                        f"{name} could not be trained: {network.error.message if network else ''}"
                    )
                self.outcome.onnx[name] = self.client.download(network.model.onnx)
                if network.int8_model.onnx.sha256:
                    self.outcome.onnx[int8_name(name)] = self.client.download(network.int8_model.onnx)
            self.outcome.latencies = self._measure(self.outcome.onnx, bar)

    def winner_name(self, index: int) -> str:
        """The name of a winner's files."""
        return f"{self.spec.name}-{index + 1}"

    def write(self) -> dict[str, Any]:
        """Writes models, front, evaluations, picture, report and result; the result last."""
        from donna.pipeline.plot import front_png
        from donna.report import report_html

        assert self.outcome.library and self.outcome.search  # noqa: S101 - the phases run in order
        for name, data in self.outcome.onnx.items():
            self.folder.write(f"models/{name}.onnx", data)
        self.outcome.manifest = self.client.manifest(self.outcome.library.manifest)
        evaluations = evaluations_csv(self.client.evaluations(self.outcome.search.name))
        self.folder.write("evaluations.csv", evaluations.encode())
        result = build_result(self.spec, self.outcome, self.folder, self.winner_name)
        result |= {"baselines": self.baselines, "planned_s": self.folder.planned_s}
        self.folder.write("front.csv", front_csv(result).encode())
        try:
            self.folder.write("front.png", front_png(result))
        except ImportError as error:
            self.display.say(f"front.png is left out, it needs {error.name}; the report has the picture, too")
        self.folder.write("report.html", report_html(result, evaluations).encode())
        self.folder.write_result(result)
        return result

    def _job(self, phase: str, spec: Any, bar: Bar) -> Any:
        """The resource of a phase's job when it has ended: begun now, or by an earlier start of this run."""
        key = f"{self.folder.run_id}-{phase}"
        done = self.client.ensure(spec, key, lambda current: show_progress(bar, current))
        self.outcome.costs[phase] = done.job.cost
        return done

    @contextmanager
    def _phase(self, phase: str, title: str) -> Iterator[Bar]:
        started = time.monotonic()
        try:
            with self.display.phase(title) as bar:
                yield bar
        finally:
            self.folder.add_timing(phase, time.monotonic() - started)


def _architecture(sample: predictor_pb2.AccuracySample) -> Architecture:
    return Architecture(choices=tuple(sample.architecture.choices))
