"""Device and precision of computations."""

from __future__ import annotations

import logging
import warnings

from lightning_fabric import Fabric

from opsin.errors import RecipeError


def create_fabric(device: str = "auto", precision: str = "32-true") -> Fabric:
    """Create the Fabric for one device, which places tensors and sets the precision.

    Args:
        device: "cpu", "cuda", "mps", or "auto": an NVIDIA or Apple GPU if available, else the CPU.
        precision: "32-true", "bf16-mixed" or "16-mixed".

    Raises:
        RecipeError: The device is not available, or does not support the precision.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # Opsin prints the device itself
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # suggests settings that the recipe has already decided
            return Fabric(accelerator=device, devices=1, precision=precision)  # type: ignore[arg-type]
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise RecipeError(
            f"This machine cannot compute on '{device}' in {precision} ({reason}); try --device auto."
        ) from None
