from __future__ import annotations

import json

from PIL import Image

import opsin
from opsin.cli.estimate_accuracy import _read


def test_the_command_tells_what_to_expect(tmp_path, opsin_command):
    run = opsin.train("digits", network="mlp", epochs=3, out=tmp_path / "run", device="cpu", inspect=False, quiet=True)
    opsin.inspect(run, only=["robustness"], quiet=True)
    digits, images = opsin.read_dataset("digits").images, tmp_path / "images"
    images.mkdir()
    for number in range(40):
        Image.fromarray(digits.read(number)[..., 0]).save(images / f"{number}.png")
    told = opsin_command("estimate-accuracy", run.path, images)
    assert told.code == 0 and "Expect about" in told.out and "unlike the training images" in told.out
    found = json.loads(opsin_command("estimate-accuracy", run.path, images, "--shares", "1=10, 2 = 30", "--json").out)
    assert found["given"] and found["shares"]["2"] == 0.75 and found["images"] == 40
    (images / "broken.png").write_bytes(b"no image")
    refused = opsin_command("estimate-accuracy", run.path, images)
    assert refused.code == 2 and "broken.png" in refused.err
    assert "left out" in opsin_command("estimate-accuracy", run.path, images, "--skip-unreadable").err
    for shares in ("1", "1=a", "=3"):
        refused = opsin_command("estimate-accuracy", run.path, images, "--skip-unreadable", "--shares", shares)
        assert refused.code == 2 and "write CLASS=NUMBER" in refused.err


def test_a_class_may_have_a_comma_in_its_name():
    assert _read("cells, dead=3,cells, alive = 5,other=0.5") == {"cells, dead": 3, "cells, alive": 5, "other": 0.5}
