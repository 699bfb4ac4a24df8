"""The room of the task: learner, predictions, files, scores, comparison, verdict and report."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from opsin.evaluation.verdict.order import circumstances, in_order
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.section import Section
from opsin.reporting.sections import CLOSING, GALLERY, OPENING
from opsin.statistics.bootstrap import bca, bootstrap, bounded
from opsin.statistics.clusters import membership_of
from opsin.storage.atomic import write_csv
from opsin.tasks.base import PredictedSplit, TrainingBudget

from .targets import PointTargets, middle, parse


@dataclass(frozen=True)
class Middles:
    """float32 ``(N, 2)``."""

    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, rows):
        return Middles(self.values[rows])

    def reorder(self, order):
        return self

    def mean(self, group_of, groups):
        raise NotImplementedError

    @classmethod
    def join(cls, parts):
        return cls(np.concatenate([part.values for part in parts]))


def distances(targets, predictions):
    """Distance of each predicted middle, float64 ``(N,)``."""
    return np.array([math.dist(middle(a), b) for a, b in zip(targets.points, predictions.values, strict=True)])


class PointLearner:
    name, main_score, lower_is_better, num_mix_classes = "points", "distance", True, 0

    def loss(self, network, batch):
        import torch

        wanted = torch.stack([points.mean(dim=0) if len(points) else points.new_zeros(2) for points in batch.targets])
        return {"loss": (network(batch.images).float() - wanted).square().sum(dim=1).mean()}

    def predict(self, network, images):
        return Middles(network(images).float().detach().cpu().numpy())

    def join(self, parts):
        return Middles.join(parts) if parts else Middles(np.zeros((0, 2), np.float32))

    def score(self, predictions, targets):
        found = distances(PointTargets(tuple(points.numpy() for points in targets)), predictions)
        return {"loss": float((found**2).mean()), "distance": float(found.mean())}

    def fitted_state(self):
        return {}

    def sampling_weights(self, targets):
        import torch

        return torch.ones(len(targets), dtype=torch.float64)

    def better(self, scores, best):
        return scores["loss"] < best["loss"]


class Store:
    def write(self, path, classes, split):
        rows = [
            [name, split.targets.text(row, classes), *(f"{value:.9g}" for value in split.predictions.values[row])]
            for row, name in enumerate(split.names)
        ]
        write_csv(path, ["image", "points", "x", "y"], rows)

    def read(self, path, classes):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        targets = PointTargets(tuple(parse(row[1]) for row in rows))
        return PredictedSplit(
            [row[0] for row in rows], targets, Middles(np.array([row[2:] for row in rows], np.float32))
        )


class Answers:
    header, shown, confidence = (["x", "y"], []), ["x", "y"], None

    def __init__(self, predictions):
        self.values = predictions.values

    def show(self, row, answered):
        return [f"{value:.3g}" for value in self.values[row]]

    def cells(self, row, answered):
        return self.show(row, answered), []

    def entry(self, row, answered):
        return dict(zip("xy", self.values[row].tolist(), strict=True)), {}

    def summary(self, answered):
        return f"{len(self.values)} middles"

    def prediction(self, row, name, unlike):
        return tuple(self.values[row].tolist())


class Distances:
    """The comparison of runs."""

    summed, ranked = ("distance",), ()
    remark, dispute, agreement = "", "are placed better by some than by others", "Who is nearer"

    def __init__(self, paired):
        self.paired = paired

    def terms(self, run):
        found = distances(self.paired.targets, self.paired.predictions[run])
        return sparse.csr_array(np.stack([found, np.ones(len(found))], axis=1))

    def scores(self, sums):
        return sums[..., :1] / sums[..., 1:]

    def area(self, run, score):
        return math.nan, np.zeros(len(self.paired.targets))

    def one_image(self, score):
        return 0.0

    def largest(self, score):
        return math.inf

    def exact(self, score, first, second):
        return None

    def right(self, runs):
        merits = np.array([self.merit(run) for run in runs])
        return merits == merits.max(axis=0)

    def merit(self, run):
        return -distances(self.paired.targets, self.paired.predictions[run])

    def said(self, run, image):
        return str(self.paired.predictions[run].values[image].round(2).tolist()), None


class Evaluation:
    def gallery(self, targets, predictions):
        return np.argsort(-distances(targets, predictions), kind="stable")[:12]

    def explained(self, targets, predictions, rows):
        raise NotImplementedError

    def compare(self, paired):
        return Distances(paired)

    def verdict(self, run):
        return in_order(circumstances(run.info))


class Report:
    sections = (
        *OPENING,
        Section("spots", "Spots", lambda page: {"number": len(page.predicted)}, __package__),
        GALLERY,
        *CLOSING,
    )

    def headline(self, page, score, split):
        words = ("middles are off by", "on average")
        shown = {key: f"{score[key]:.3g}" for key in ("value", "low", "high")}
        return {**shown, "what": "Distance", "test": words, "validation": words, "scale": None, "mark": None}

    def captions(self, predicted, rows, classes):
        found = distances(predicted.targets, predicted.predictions)
        each = [
            Caption(None, ((f"{found[row]:.3g}", True),), "", "", "", f"off by {found[row]:.3g}")
            for row in rows.tolist()
        ]
        return Captions("Worst first.", "the worst", each, [])

    def questions(self, predicted, rows, outputs, classes):
        raise NotImplementedError


class Points:
    """The spec."""

    name, title, outputs, exclusive = "points", "Middle of points", ("", ""), False
    metrics, details, main_metric, compared = ("distance",), (), "distance", ("distance",)
    per_image_metric, learning_metric, losses, inspections = "distance", "distance", ("squared",), ()
    networks, budget, averaging = ("tf_efficientnet_lite0", "small_resnet"), TrainingBudget(), "values"

    def learner(self, recipe, num_outputs, targets=None, fitted=None):
        return PointLearner()

    def check_network(self, name, pretrained):
        from opsin.networks.registry import check_network

        check_network(name, pretrained)

    def network(self, recipe, num_outputs, pretrained=False):
        from opsin.training.network import build_network

        return build_network(recipe, num_outputs, pretrained)

    def store(self):
        return Store()

    def answers(self, predictions, classes):
        return Answers(predictions)

    def score(self, predictions, targets, classes, groups=None, positive=None):
        found = distances(targets, predictions)
        terms = sparse.csr_array(np.stack([found, np.ones(len(found))], axis=1))
        membership = membership_of(groups)
        result = bootstrap(
            terms if membership is None else membership @ terms, lambda sums: sums[..., :1] / sums[..., 1:]
        )
        [low], [high] = bca(result)
        return {
            "distance": bounded(
                float(result.values[0]), float(low), float(high), "BCa", len(found), float(len(found)), math.inf
            )
        }

    def per_image(self, targets, predictions):
        return distances(targets, predictions)

    def calibrate(self, learner, predictions, targets, groups):
        return {}

    def mask_writer(self):
        return None

    def evaluation(self):
        return Evaluation()

    def report(self):
        return Report()


SPEC = Points()
