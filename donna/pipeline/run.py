"""All of DONNA, phase by phase: reference, block library, samples, predictor, search, winners.

Each phase is one or two jobs of a service. A request is named after the run, so a run that was interrupted finds
its jobs again and goes on; what is trained or measured already is not done twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from donna.client import Client, JobFailed
from donna.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from donna.pipeline import messages
from donna.pipeline.ask import ask, given_weights, place
from donna.pipeline.baselines import baseline_search, baselines, uniform
from donna.pipeline.bounds import check_feasibility
from donna.pipeline.budget import looked_at
from donna.pipeline.display import Display, Silence
from donna.pipeline.duration import duration
from donna.pipeline.evaluations import evaluations_csv
from donna.pipeline.folder import RunFolder
from donna.pipeline.improvement import Round, unknown_of_front
from donna.pipeline.outcome import Fitted, Found, Outcome, Reference, Winner
from donna.pipeline.result import build_result, front_csv, int8_name
from donna.pipeline.sampling import D_OPTIMAL, Samples, architecture_of, draw, finetune_samples, finetuned
from donna.pipeline.sections import LATENCY
from donna.pipeline.spec import Spec
from donna.pipeline.turns import Latency
from donna.pipeline.winners import choose_winners
from donna.pipeline.work import Work
from donna.space import Architecture
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2

REFERENCE = "reference"
NOT_NOW = ("DEVICE_AWAY", "DEVICE_BUSY")
"""Why a device cannot be measured on just now."""


def run(client: Client, spec: Spec, folder: RunFolder, display: Display | None = None) -> dict[str, Any]:
    """Runs all phases and returns the result, which is also written to the folder.

    Raises InvalidArgument or FailedPrecondition before any work when the spec cannot be run, JobFailed when a
    phase fails.
    """
    return Run(begin(client, spec, folder, display or Silence())).through()


def begin(client: Client, spec: Spec, folder: RunFolder, display: Display) -> Work:
    """Everything that can be refused is refused here, before any work; once for a run, however often it is started."""
    found = place(client, spec, folder.default_device)
    work = Work(client, found.spec, folder, display, found.devices)
    if not folder.checked:
        with work.phase("check", "Checking") as bar:
            plan = ask(client, found, bar)
        planned = {name: seconds for name, seconds in plan.seconds().items() if seconds is not None}
        folder.keep_plan(planned, found.default_device)
        unknown = "" if len(planned) == len(plan.phases) else "at least "
        display.say(f"planned: {unknown}{duration(sum(planned.values()))}")
    for sentence in found.away:
        display.say(sentence)
    return work


class Run:
    """The phases in order; each takes what earlier ones brought, and returns what it brings."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.client, self.spec, self.display = work.client, work.spec, work.display

    def through(self) -> dict[str, Any]:
        """From the spec to the result."""
        reference = self.prepare_reference()
        library = self.build_library(reference.weights)
        self.check_bounds(library.manifest)
        samples, judges = finetune_samples(self.work, library)
        fitted = self.fit_predictor(library.manifest, samples, judges)
        front = self.search(library.manifest, fitted.predictor)
        found = self.improve(library.manifest, Found(fitted=fitted, search=front), samples, judges)
        beside, chosen = self.choose(found.search, reference)
        uniform_networks = self.measure_baselines(library.manifest, found)
        winners = self.finetune_winners(library.manifest, chosen)
        exported = self.export_reference(library.manifest)
        onnx, latencies = self.measure_models(exported, winners)
        return self.write(
            Outcome(
                devices={name: self.client.devices.find(name) for name in self.work.devices},
                library=library,
                manifest=self.client.manifest(library.manifest),
                found=found,
                beside_search=beside,
                baselines=uniform_networks,
                reference=exported,
                winners=winners,
                onnx=onnx,
                latencies=latencies,
                costs=self.work.costs,
            )
        )

    def prepare_reference(self) -> Reference:
        """Trains the reference, or takes it as it is, and measures it: that is what the search has to beat.

        Its figures on the test part come at the end.
        """
        train = self.spec.reference.train
        given = given_weights(self.client, self.spec)
        title = "Training the reference" if train else "Evaluating the reference"
        with self.work.phase(REFERENCE, title) as bar:
            job = self.work.job(REFERENCE, messages.reference_alone(self.spec, given), bar)
            network = trained(job.networks[0], "the reference")
        with self.work.phase(REFERENCE, "Measuring the reference") as bar:
            onnx = self.client.download(network.model.onnx)
            latencies = self.work.measure({REFERENCE: onnx}, bar, rounds=1)[REFERENCE]
        told = "".join(f", {latency.median_ms:.3f} ms on {device}" for device, latency in latencies.items())
        self.display.say(f"reference: {100 * network.accuracy:.1f} % on the validation part{told}")
        return Reference(
            weights=network.weights if train else given,
            onnx=onnx,
            costs={"parameters": float(network.parameters), "macs": float(network.macs)},
        )

    def build_library(self, weights: common_pb2.Artifact | None) -> distiller_pb2.BlockLibrary:
        """Distils every option of every block."""
        with self.work.phase("library", "Distilling the block library") as bar:
            library = self.work.job("library", messages.block_library(self.spec, weights), bar)
        cost = library.job.cost
        if cost.blocks_trained:
            told = f"{cost.blocks_trained} blocks trained, {cost.blocks_reused} known from earlier runs"
        else:
            told = f"no block trained again: all {cost.blocks_reused} are known from earlier runs"
        self.display.say(told)
        return library  # type: ignore[no-any-return]

    def check_bounds(self, library: common_pb2.Artifact) -> None:
        """Measures the smallest networks: a latency bound that nothing can meet ends the run here.

        While a device is away or slow that is left to the search, which waits for it.
        """
        if not looked_at(self.spec):
            return  # bounds on costs are known to be met since the plan
        with self.work.phase("bounds", "Checking the bounds") as bar:
            bar.update(0, 1, "measuring the smallest networks", None)
            try:
                checked = self.client.create(messages.search(self.spec, library), validate_only=True)
            except (Unavailable, DeadlineExceeded, FailedPrecondition) as error:
                if isinstance(error, FailedPrecondition) and error.reason not in NOT_NOW:
                    raise
                self.display.say(f"the search will check the bounds, for now: {error.message}")
                return
        check_feasibility(checked.feasibility)

    def fit_predictor(
        self, library: common_pb2.Artifact, samples: Samples, judges: Samples, name: str = "predictor"
    ) -> Fitted:
        """Fits the accuracy predictor, and judges it on networks that it has not seen."""
        with self.work.phase("predictor", "Fitting the accuracy predictor") as bar:
            predictor = self.work.job(name, messages.predictor(self.spec, library, samples), bar)
            holdout = self.judged(predictor, judges) if judges else None
        judged = f", {holdout.agreement.kendall_tau.value:.2f} held out" if holdout else ""
        agreement = predictor.leave_one_out.kendall_tau.value
        self.display.say(f"Kendall tau of the predictor: {agreement:.2f} leave-one-out{judged}")
        return Fitted(predictor=predictor, holdout=holdout)

    def judged(
        self, predictor: predictor_pb2.Predictor, samples: Samples
    ) -> predictor_pb2.EvaluatePredictorResponse:
        """What a predictor says of networks with known accuracies."""
        request = predictor_pb2.EvaluatePredictorRequest(predictor=predictor.name, samples=samples)
        return self.client.predictor.EvaluatePredictor(request)  # type: ignore[no-any-return]

    def search(
        self,
        library: common_pb2.Artifact,
        predictor: predictor_pb2.Predictor,
        name: str = "search",
        initial: Sequence[common_pb2.Architecture] = (),
    ) -> searcher_pb2.Search:
        """Searches the front, from the `initial` networks if there are any."""
        with self.work.phase("search", "Searching the front") as bar:
            spec = messages.search(self.spec, library, predictor.name)
            spec.initial.extend(initial)
            found = self.work.job(name, spec, bar)
        measured = sum(found.num_measured.values())
        self.display.say(
            f"{found.num_evaluations} networks evaluated, {measured} measured, {len(found.front)} on the front"
        )
        return found  # type: ignore[no-any-return]

    def improve(self, library: common_pb2.Artifact, found: Found, samples: Samples, judges: Samples) -> Found:
        """Finetunes the networks of the front that tell the predictor most, fits it again and searches again.

        As often as the spec says, or until every network of the front has been finetuned.
        """
        for number in range(1, self.spec.improve.rounds + 1):
            before, front = found.fitted.predictor, found.search
            unknown = unknown_of_front(front.front, [*samples, *judges])
            count = min(self.spec.improve.networks, len(unknown))
            if count < 2:
                self.display.say("no more to improve: the networks of the front have been finetuned")
                break
            known = [architecture_of(sample) for sample in (*samples, *judges)]
            chosen = draw(self.work, library, count, D_OPTIMAL, exclude=known, candidates=unknown)
            title = f"Round {number}: finetuning {count} networks of the front"
            with self.work.phase("samples", title) as bar:
                fresh = finetuned(self.work, f"improve-{number}-samples", library, chosen, bar)
            if len(fresh) < 2:
                self.display.say("no more to improve: too few networks of the front can be trained")
                break
            judged = self.judged(before, fresh)
            samples = [*samples, *fresh]
            fitted = self.fit_predictor(library, samples, judges, f"improve-{number}-predictor")
            seeds = [point.architecture for point in front.front]
            again = self.search(library, fitted.predictor, f"improve-{number}-search", seeds)
            rounds = [*found.rounds, Round(predictor=before, search=front, judged=judged)]
            found = Found(fitted=fitted, search=again, rounds=rounds)
        return found

    def choose(
        self, search: searcher_pb2.Search, reference: Reference
    ) -> tuple[Mapping[str, Latency], list[searcher_pb2.FrontPoint]]:
        """What is worth finetuning, within what the reference costs; and the reference's latency for it.

        The reference is measured once more: since it was measured first the device may have changed its pace, and the
        front has the latencies of now.
        """
        with self.work.phase("search", "Measuring the reference beside the front") as bar:
            beside = self.work.measure({REFERENCE: reference.onnx}, bar)[REFERENCE]
        costs = [o for o in self.spec.search.objectives if o.metric != "accuracy"]
        points = [
            (
                point.predicted_accuracy,
                *(
                    point.latency_ms[o.device] if o.metric == LATENCY else getattr(point, o.metric)
                    for o in costs
                ),
            )
            for point in search.front
        ]
        budget = [
            beside[o.device].median_ms if o.metric == LATENCY else reference.costs.get(o.metric)
            for o in costs
        ]
        chosen = choose_winners(points, self.spec.finetune.winners, budget)
        return beside, [search.front[index] for index in chosen]

    def measure_baselines(self, library: common_pb2.Artifact, found: Found) -> list[dict[str, Any]]:
        """Measures what one gets without a search: networks with the same option in every block."""
        manifest = self.client.manifest(library)
        networks = uniform(manifest)
        most = self.spec.search.max_measurements
        left = most - max(found.search.num_measured.values(), default=0)
        if most and left < len(networks):
            told = (
                f"{left} of the {most} measurements allowed are left, too few for {len(networks)} baselines"
            )
            self.display.say(told)
            return []
        if not networks:
            return []
        spec = messages.search(self.spec, library, found.fitted.predictor.name)
        with self.work.phase("baselines", f"Measuring {len(networks)} networks of one option each") as bar:
            searched = self.work.job(
                "baselines", baseline_search(spec, networks.values(), left if most else 0), bar
            )
        return baselines(manifest, networks, self.client.evaluations(searched.name))

    def finetune_winners(
        self, library: common_pb2.Artifact, chosen: Sequence[searcher_pb2.FrontPoint]
    ) -> list[Winner]:
        """Finetunes and exports the winners; the test part is read here. Raises JobFailed when all of them fail."""
        networks = [Architecture(choices=tuple(point.architecture.choices)) for point in chosen]
        with self.work.phase("finetune", f"Finetuning and exporting {len(networks)} winners") as bar:
            job = self.work.job("winners", messages.winners(self.spec, library, networks), bar)
        winners: list[Winner] = []
        for point, architecture, network in zip(chosen, networks, job.networks, strict=True):
            if network.error.reason:
                self.display.say(
                    f"{architecture} could not be finetuned, it is left out: {network.error.message}"
                )
                continue
            name = f"{self.spec.name}-{len(winners) + 1}"
            winners.append(Winner(name=name, point=point, network=network))
        if chosen and not winners:
            error = job.networks[0].error
            raise JobFailed(f"no network could be finetuned: {error.message}", reason=error.reason)
        return winners

    def export_reference(self, library: common_pb2.Artifact) -> finetuner_pb2.FinetunedNetwork:
        """The reference on the test part, exported beside the winners."""
        with self.work.phase("finetune", "Exporting the reference") as bar:
            job = self.work.job("reference-export", messages.reference_export(self.spec, library), bar)
        return trained(job.networks[0], "the reference")

    def measure_models(
        self, reference: finetuner_pb2.FinetunedNetwork, winners: Sequence[Winner]
    ) -> tuple[dict[str, bytes], dict[str, dict[str, Latency]]]:
        """The exported models by name, and what they take on every device."""
        onnx = {}
        with self.work.phase("measure", "Measuring the exported models") as bar:
            for name, network in ((REFERENCE, reference), *((w.name, w.network) for w in winners)):
                onnx[name] = self.client.download(network.model.onnx)
                if network.int8_model.onnx.sha256:
                    onnx[int8_name(name)] = self.client.download(network.int8_model.onnx)
            return onnx, self.work.measure(onnx, bar)

    def write(self, outcome: Outcome) -> dict[str, Any]:
        """Writes models, front, evaluations, picture, report and result; the result last."""
        from donna.pipeline.plot import front_png
        from donna.report import report_html

        folder = self.work.folder
        for name, data in outcome.onnx.items():
            folder.write(f"models/{name}.onnx", data)
        evaluations = evaluations_csv(self.client.evaluations(outcome.found.search.name))
        folder.write("evaluations.csv", evaluations.encode())
        result = build_result(self.spec, outcome, folder)
        folder.write("front.csv", front_csv(result).encode())
        try:
            folder.write("front.png", front_png(result))
        except ImportError as error:
            self.display.say(f"front.png is left out, it needs {error.name}; the report has the picture, too")
        folder.write("report.html", report_html(result, evaluations).encode())
        folder.write_result(result)
        return result


def trained(network: finetuner_pb2.FinetunedNetwork, what: str) -> finetuner_pb2.FinetunedNetwork:
    """The network. Raises JobFailed when it could not be trained."""
    if network.error.reason:
        raise JobFailed(f"{what} could not be trained: {network.error.message}", reason=network.error.reason)
    return network
