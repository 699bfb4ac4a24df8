import re
from collections import defaultdict
from importlib.resources import files

STYLES = files("opsin.reporting") / "templates" / "sections"


def test_no_two_sections_style_the_same_class():
    """All styles are joined into one page, where a second rule for a class would hold for the other section, too."""
    owners = defaultdict(set)
    for file in STYLES.iterdir():
        if file.name.endswith(".css"):
            text = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
            for selectors in re.findall(r"([^{}]+)\{", text):
                for selector in selectors.split(","):
                    if first := re.match(r"\s*\.([\w-]+)", selector):
                        owners[first[1]].add(file.name)
    assert owners
    assert {name: names for name, names in owners.items() if len(names) > 1} == {}
