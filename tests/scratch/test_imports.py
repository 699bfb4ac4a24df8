import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys
import numpy
before = set(sys.modules)
import opsin.scratch
for found in pkgutil.iter_modules(opsin.scratch.__path__):
    importlib.import_module(f"opsin.scratch.{found.name}")
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"numpy"}))
"""


def test_networks_of_ones_own_need_numpy_and_the_standard_library_alone():
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "['opsin']"
