"""Where a network computes, and in which precision."""

from __future__ import annotations

import logging
import warnings

from lightning_fabric import Fabric

from opsin.errors import RecipeError


def create_fabric(device: str = "auto", precision: str = "32-true") -> Fabric:
    """Make the Fabric that places tensors and sets the precision: one device.

    Args:
        device: "auto" takes a GPU of NVIDIA or Apple where there is one; or "cpu", "cuda", "mps".
        precision: "32-true", "bf16-mixed" or "16-mixed".

    Raises:
        RecipeError: This machine has no such device, or the device no such precision.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it announces what we say ourselves
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice about faster settings that the recipe has already decided
            return Fabric(accelerator=device, devices=1, precision=precision)  # type: ignore[arg-type]
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise RecipeError(
            f"This machine cannot compute on '{device}' in {precision} ({reason}); try --device auto."
        ) from None
