import json

import numpy as np
import pytest

from opsin.scratch.cars import read_cars

CLASSIC = """18.0   8   307.0      130.0      3504.      12.0   70  1\t"chevrolet chevelle malibu"
25.0   4   98.00      ?          2046.      19.0   71  1\t"ford pinto"
24.0   4   113.0      95.00      2372.      15.0   70  3\t"toyota corona mark ii"
"""


def test_the_classic_file(tmp_path):
    path = tmp_path / "auto-mpg.data"
    path.write_text(CLASSIC, encoding="utf-8")
    cars = read_cars(path)
    assert cars.names == ("chevrolet chevelle malibu", "ford pinto", "toyota corona mark ii")
    np.testing.assert_array_equal(cars.values[0], [18, 8, 307, 130, 3504, 12, 70, 1])
    np.testing.assert_array_equal(np.isnan(cars.column("horsepower")), [False, True, False])
    assert cars.known().names == ("chevrolet chevelle malibu", "toyota corona mark ii")
    np.testing.assert_array_equal(cars.known().inputs(["weight", "origin"]), [[3504, 0, 0], [2372, 0, 1]])


def test_json_as_vega_datasets_has_it_and_csv(tmp_path):
    row = {
        "Name": "citroen ds-21 pallas",
        "Miles_per_Gallon": None,
        "Cylinders": 4,
        "Displacement": 133,
        "Horsepower": 115,
        "Weight_in_lbs": 3090,
        "Acceleration": 17.5,
        "Year": "1970-01-01",
        "Origin": "Europe",
    }
    (tmp_path / "cars.json").write_text(json.dumps([row]), encoding="utf-8")
    text = ",".join(row) + "\n" + ",".join("" if value is None else str(value) for value in row.values())
    (tmp_path / "cars.csv").write_text(text, encoding="utf-8")
    for name in ("cars.json", "cars.csv"):
        cars = read_cars(tmp_path / name)
        np.testing.assert_array_equal(cars.values[0], [np.nan, 4, 133, 115, 3090, 17.5, 70, 2])
        assert cars.names == ("citroen ds-21 pallas",)
        assert len(cars.known().names) == 0
        assert len(cars.known("horsepower", "weight").names) == 1


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.data", "18.0 8 307.0\n", "line 1: expected 8 numbers, found 3"),
        ("a.data", CLASSIC + "a 8 307 130 3504 12 70 1\n", "line 4: 'a' is not a number"),
        ("a.csv", "mpg,cylinders\n1,2\n", "column 'displacement' is missing"),
    ],
)
def test_other_files_are_refused_with_the_place(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        read_cars(tmp_path / name)
