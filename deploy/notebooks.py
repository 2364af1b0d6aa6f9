"""Runs notebooks and compares what they print with what they hold; --write replaces it instead.

What a cell prints must be the same text. In cells with the tag "cpu", whose numbers come from float
kernels of the machine's CPU, a number may differ by 1 % or by one in its last printed digit. Of pictures
only the place is compared. deploy/notebooks starts it.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
SHARE = 0.01
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def run(path):
    """The notebook with what its cells give now."""
    notebook = nbformat.read(path, 4)
    client = NotebookClient(
        notebook,
        timeout=600,
        startup_timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    # Else Spark's log lines would be among ours; what fails in a cell is in the notebook.
    client.execute(stderr=subprocess.DEVNULL)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in code_cells(notebook):
        # Spark's own words, with times and machines.
        cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
        cell.metadata.pop("execution", None)
    return notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    """The texts of a cell, and a word for each picture."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            texts.append("(picture)")
        else:
            texts.append(output.get("text") or data.get("text/plain", ""))
    return "".join(texts)


def is_same(held, found, cpu):
    """Whether two texts are equal, or in a cell of the CPU near enough."""
    if held == found or not cpu:
        return held == found
    if NUMBER.split(held) != NUMBER.split(found):
        return False
    return all(map(is_near, NUMBER.findall(held), NUMBER.findall(found)))


def is_near(held, found):
    mantissa, _, exponent = held.partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    difference = abs(float(held) - float(found))
    return difference <= max(SHARE * abs(float(held)), 1.001 * 10.0**-decimals)


def compare(path, now):
    """How many cells give something else than they hold; each is printed."""
    different = 0
    for held, found in zip(code_cells(nbformat.read(path, 4)), code_cells(now)):
        if not is_same(printed(held), printed(found), "cpu" in held.metadata.get("tags", [])):
            different += 1
            print(f"{path.name}, cell {found.execution_count} held:\n{printed(held)}", file=sys.stderr)
            print(f"and gives now:\n{printed(found)}", file=sys.stderr)
    return different


def main():
    parser = argparse.ArgumentParser(prog="notebooks", description="Runs the notebooks.")
    parser.add_argument("--write", action="store_true", help="keep what the cells give")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all of them, if none is named")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    failed = 0
    for name in names:
        path = FOLDER / f"{name}.ipynb"
        if not path.is_file():
            sys.exit(f"notebooks: there is no {path}")
        try:
            now = run(path)
        except CellExecutionError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        if arguments.write:
            nbformat.write(now, path)
            print(f"{name}: written")
        else:
            different = compare(path, now)
            failed += different > 0
            print(f"{name}: {len(code_cells(now))} cells ran, {different} differ")
    sys.exit(1 if failed else 0)


main()
