from opsin.reporting.pages.notebook import run_html
from opsin.reporting.run_report.report import write_report


def test_card_holds_scores_curves_and_the_gravest_finding(finished, monkeypatch):
    write_report(finished)
    monkeypatch.chdir(finished.path.parent)
    html = run_html(finished)
    accuracy = finished.scorecard["test"]["accuracy"]
    assert f"<b>{accuracy['value']:.3f}</b>" in html
    assert f"{accuracy['low']:.3f}–{accuracy['high']:.3f}" in html
    assert html.count("<svg") == 2
    assert "Class 8 is found least often." in html
    assert f'href="{finished.name}/report.html"' in html
    assert "<script" not in html and "<style" not in html and "http" not in html


def test_unfinished_run_has_a_card(make_run):
    html = run_html(make_run(until="training").path)
    assert "interrupted, 7 epochs" in html and "<table" not in html and "<a " not in html
    assert "0 epochs" in run_html(make_run(until="created", name="begun"))


def test_names_are_escaped(make_run):
    run = make_run()
    run.write(
        "verdict.json", [dict.fromkeys(("kind", "sentence", "evidence", "advice"), "<b>x</b>") | {"severity": "note"}]
    )
    assert "<b>x</b>" not in run_html(run)
