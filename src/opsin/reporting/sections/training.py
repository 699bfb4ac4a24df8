"""Learning curves and training speed."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from opsin.metrics.names import describe_score
from opsin.reporting.figures.run import plot_learning_curves
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page, training_facts
from opsin.runs.folder import RunFolder
from opsin.tasks.registry import task_spec


def facts(page: Page) -> dict[str, Any] | None:
    """Return the learning curves and the speed; None if there is neither yet."""
    throughput = _throughput(page.run)
    if not page.run.history and throughput is None:
        return None
    curves = draw_learning_curves(page.run) if page.run.history else {}
    main = page.task.main_metric
    return {
        "training": training_facts(page.run),
        "loss": curves.get("loss", ""),
        "score": curves.get(main, ""),
        "words": describe_score(main).words,
        "lower_is_better": describe_score(main).lower_is_better,
        "throughput": throughput,
    }


def draw_learning_curves(run: RunFolder, prefix: str = "") -> dict[str, Markup]:
    """Draw the curves of the loss (with the learning rate below) and, if measured, of the main score.

    Args:
        run: A run with at least one epoch.
        prefix: Makes figure names of several runs on one page distinct.
    """
    history, best = run.history, (run.info.get("best") or {}).get("epoch")
    loss = plot_learning_curves(history, scores=("loss",), best_epoch=best)
    curves = {"loss": figure_to_svg(loss, f"{prefix}loss", "loss on training and validation images in each epoch")}
    main = task_spec(run.task).main_metric
    if any(main in row.get(split, {}) for row in history for split in ("train", "validation")):
        score = plot_learning_curves(history, scores=(main,), best_epoch=best, learning_rate=False)
        score.set_size_inches(*loss.get_size_inches())
        text = f"{describe_score(main).words} on training and validation images in each epoch"
        curves[main] = figure_to_svg(score, f"{prefix}{main}", text)
    return curves


def _throughput(folder: RunFolder) -> dict[str, Any] | None:
    """Return images per second of loader, model and training loop, with an interpretation."""
    speed = folder.info.get("throughput") or {}
    bars = [
        {"name": name, "meaning": meaning, "speed": speed[key]}
        for key, name, meaning in (
            ("loader", "Loader alone", "reading, resizing and augmenting images without training"),
            ("model", "Model alone", "training steps on images that are already loaded"),
            ("training", "Training loop", "speed of this run, everything included"),
        )
        if speed.get(key)
    ]
    if not bars:
        return None
    fastest = max(bar["speed"] for bar in bars)
    for bar in bars:
        bar["part"] = bar["speed"] / fastest
    return {"bars": bars, **_speed_reading(speed)}


def _speed_reading(speed: dict[str, float]) -> dict[str, Any]:
    loader, model, training = (speed.get(key) or 0.0 for key in ("loader", "model", "training"))
    if not (loader and model):
        return {"starved": None, "reading": ""}
    if loader < model:
        return {
            "starved": True,
            "reading": f"The loader is the bottleneck: the model could process {model / loader:.1f} times as many "
            "images/s as the loader delivers. Keep more decoded images in memory (data.memory_gb), or train on smaller "
            "images (data.image_size).",
        }
    kept = f" The training loop runs at {100 * training / model:.0f} % of the model's speed." if training else ""
    reading = f"The loader is no bottleneck: it could deliver {loader / model:.1f} times what the model consumes.{kept}"
    return {"starved": False, "reading": reading}
