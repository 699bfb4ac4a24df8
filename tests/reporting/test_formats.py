import doctest

from opsin.reporting import formats


def test_examples_in_the_docstrings():
    result = doctest.testmod(formats)
    assert result.attempted > 5 and result.failed == 0


def test_what_stands_between_backticks_is_code_and_all_is_escaped():
    assert formats.marked("a `<b>` & `c`, one ` alone") == (
        "a <code>&lt;b&gt;</code> &amp; <code>c</code>, one ` alone"
    )
