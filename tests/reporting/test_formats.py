import doctest

from opsin.reporting import formats


def test_examples_in_the_docstrings():
    result = doctest.testmod(formats)
    assert result.attempted > 5 and result.failed == 0
