from __future__ import annotations

import pytest

import opsin


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return opsin.train("digits", network="mlp", epochs=4, out=folder, device="cpu", quiet=True)


def test_a_run_knows_how_its_accuracy_holds_up(run):
    found = run.folder.robustness
    assert found["split"] == "validation" and found["images"] == found["of"] == 269
    assert found["clean"]["value"] == pytest.approx(run.scorecard["validation"]["accuracy"]["value"])
    assert {row["name"] for row in found["corruptions"]} >= {"noise", "blur", "jpeg", "rotation"}
    assert next(row["seen"] for row in found["corruptions"] if row["name"] == "rotation")
    assert [entry["severity"] for entry in found["corruptions"][0]["severities"]] == [1, 2, 3, 4, 5]
    assert 0 < found["laboratories"]["low"] <= found["laboratories"]["expected"] <= found["laboratories"]["high"] <= 1


def test_the_report_shows_it(run):
    found = run.folder.robustness
    text = run.report.read_text(encoding="utf-8").replace("\xa0", " ")
    assert 'id="domain_shift"' in text
    assert f"Expect about <b>{found['laboratories']['expected'] * 100:.0f} %</b>" in text
    assert "30 simulated laboratories" in text and "used as augmentation" in text


def test_examining_again_finds_the_same(run):
    before = run.folder.robustness
    opsin.inspect(run, only=["robustness"], quiet=True)
    assert run.folder.robustness == before


def test_an_expensive_network_sees_fewer_images_at_fewer_severities(run):
    macs = run.folder.info["network"]
    run.folder.update(network=macs | {"macs": 10**12})
    history = run.folder.history
    try:
        run.folder.write("history.jsonl", history[:1])
        opsin.inspect(run, only=["robustness"], quiet=True)
        found = run.folder.robustness
        assert found["images"] == 100 and found["of"] == 269 and found["severities"] == [2, 4]
    finally:
        run.folder.update(network=macs)
        run.folder.write("history.jsonl", history)
