import re

import numpy as np
import pytest
from PIL import Image

from opsin.errors import DataError


@pytest.fixture
def refusal():
    """Call a function that must raise a DataError of one sentence; return the sentence."""

    def call(function, *arguments, **options):
        with pytest.raises(DataError) as caught:
            function(*arguments, **options)
        sentence = str(caught.value)
        assert sentence.endswith(".") and "\n" not in sentence and "  " not in sentence, sentence
        assert not re.search(r"\. [A-Z]", sentence), sentence
        return sentence

    return call


@pytest.fixture
def image_file():
    """Write a small image whose pixels all have one value, making its folders."""

    def write(path, value=0, size=(4, 6)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(size, value, np.uint8)).save(path)
        return path

    return write
