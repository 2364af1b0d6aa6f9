"""What calls give: values, with a form in JSON and warnings."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from tare._bridge import Bridge, TareError, by_name, optional
from tare._tensors import Tensors

PathLike = Union[str, "os.PathLike[str]"]


class Histogram(NamedTuple):
    """How often values of equal bins occurred, as ``numpy.histogram`` has it."""

    counts: List[float]
    """Of each bin; a bucket of the state that covers several bins is shared out among them."""

    edges: List[float]
    """Where the bins begin, and where the last one ends."""


class State:
    """What was observed: a handle on a calibration state in the driver's JVM."""

    def __init__(self, bridge: Bridge, java: Any) -> None:
        self._bridge = bridge
        self._java = java

    @property
    def rows(self) -> int:
        """How many rows of the table were observed."""
        return self._java.rows()

    @property
    def slice(self) -> str:
        """Which part of the table the rows are of, as ``country=DE``; empty for all."""
        return self._java.slice()

    @property
    def tensors(self) -> List[str]:
        """The names of the observed tensors, or columns."""
        return list(self._java.tensors().keySet())

    @property
    def model_digest(self) -> str:
        """SHA-256 of the float model; empty for a state of columns."""
        return self._java.modelDigest()

    def range(self, tensor: str) -> Tuple[float, float]:
        """The least and the greatest finite value of a tensor, exactly.

        Raises:
            TareError: if there is no such tensor, or it holds no finite value.
        """
        stats = self._stats(tensor)
        return stats.min(), stats.max()

    def histogram(self, tensor: str, bins: int = 100) -> Histogram:
        """The finite values of a tensor, counted in equal bins from the least to the greatest.

        Raises:
            TareError: if there is no such tensor, or it holds no finite value.
        """
        if bins < 1:
            raise TareError("USAGE", f"bins cannot be {bins}: it is a number from 1")
        stats = self._stats(tensor)
        low, high = stats.min(), stats.max()
        if low == high:
            low, high = low - 0.5, high + 0.5
        java = self._bridge.jvm.org.tare.range.LinearBins.of(stats, bins, low, high, True)
        tensors = Tensors(self._bridge)
        return Histogram(tensors.double_list(java.counts()), tensors.double_list(java.edges()))

    def _stats(self, tensor: str) -> Any:
        stats = self._java.tensors().get(tensor)
        if stats is None:
            raise TareError("USAGE", f"The state has no tensor {tensor!r}: see its tensors")
        if not stats.min() <= stats.max():
            raise TareError("BAD_INPUT", f"The tensor {tensor!r} holds no finite value")
        return stats

    def to_bytes(self) -> bytes:
        """The bytes of its file, which ``Tare.read_state`` reads."""
        return bytes(self._bridge.call(self._java.encodeFile))

    def __repr__(self) -> str:
        part = f" of {self.slice}" if self.slice else ""
        return f"<State: {self.rows} rows{part}, {len(self.tensors)} tensors>"


class Result:
    """What a call gave."""

    def __init__(self, bridge: Bridge, java: Any) -> None:
        self._bridge = bridge
        self._java = java
        self._dict: Optional[Dict[str, Any]] = None

    def to_dict(self) -> Dict[str, Any]:
        """What ``result.json`` holds: figures, and on what they were made, how and when."""
        if self._dict is None:
            self._dict = json.loads(self._bridge.call(self._java.toJson))
        return self._dict

    @property
    def unmet(self) -> List[str]:
        """What the quality gate asks for and is not met; then nothing was published."""
        return list(self._java.unmet())

    @property
    def warnings(self) -> List[str]:
        """What was done otherwise than one may think, in a sentence each."""
        return list(self._java.warnings())

    @property
    def summary(self) -> List[Tuple[str, str]]:
        """Lines for people: what, and what came of it."""
        return [(fact.name(), fact.value()) for fact in self._java.summary()]

    def __str__(self) -> str:
        """The summary and the warnings, a line each."""
        lines = [f"{name}: {value}" for name, value in self.summary]
        return "\n".join(lines + [f"Warning: {warning}" for warning in self.warnings])


class Calibration(Result):
    """What a calibration gave."""

    @property
    def state(self) -> State:
        """What was observed, of all rows."""
        return State(self._bridge, self._java.state())

    @property
    def slices(self) -> Dict[str, State]:
        """The state of each slice by its name, if slices were asked for."""
        return by_name(self._java.slices(), lambda java: State(self._bridge, java))

    @property
    def skipped_rows(self) -> int:
        """Rows that could not be decoded and were skipped."""
        return self._java.skippedRows()


class StreamResult(Result):
    """What came of the batches of a stream that one run took."""

    @property
    def rows(self) -> int:
        """All rows of the batches."""
        return self._java.rows()

    @property
    def unmet(self) -> List[str]:
        """Nothing: a stream publishes nothing."""
        return []

    @property
    def warnings(self) -> List[str]:
        """Nothing: what is worth a warning is told with each batch."""
        return []


class Recalibration(Result):
    """What came of a recalibration, and why."""

    @property
    def outcome(self) -> str:
        """``first``, ``published``, ``unchanged``, ``not-better``, ``gate-not-met``,
        ``done-before`` or ``busy``."""
        return self._java.outcome().id()

    @property
    def why(self) -> str:
        """The reason, in a sentence."""
        return self._java.why()

    @property
    def moved(self) -> bool:
        """Whether the new rows are not what the deployed model was calibrated on."""
        return self._java.moved()


class Quantized(Result):
    """A quantized model with how it came about."""

    @property
    def qparams(self) -> Dict[str, Any]:
        """What ``qparams.json`` holds: ``activations`` and ``weights``, each by name."""
        return json.loads(self._bridge.call(self._java.qparamsJson))

    @property
    def size_bytes(self) -> int:
        """The bytes of the files that the model is written as."""
        return self._java.sizeBytes()

    def write(self, folder: PathLike) -> None:
        """Writes model, qparams, report and result into a new folder, on any file system that the session reaches.

        Raises:
            TareError: if the folder exists, or cannot be written.
        """
        self._bridge.call(self._java.write, folder)


class Evaluation(Result):
    """How close a quantized model's outputs are to the float model's."""

    @property
    def rows(self) -> int:
        """Rows that were compared."""
        return self._java.rows()

    @property
    def skipped_rows(self) -> int:
        """Rows that could not be decoded and were skipped."""
        return self._java.skippedRows()

    @property
    def outputs(self) -> Dict[str, Dict[str, Any]]:
        """The figures of each float32 output, by name.

        They are ``sqnr_db``, ``mse``, ``cosine`` and, with labels, ``float_top1``,
        ``quantized_top1`` and the like; None where a figure is not finite, and ``comparison`` says
        why.
        """
        return self.to_dict()["evaluation"]["outputs"]


class RunResult(Result):
    """What the whole job gave."""

    @property
    def calibration(self) -> Optional[Calibration]:
        """What was observed; None where the mode needs no data."""
        return optional(self._java.calibration(), lambda java: Calibration(self._bridge, java))

    @property
    def quantized(self) -> Quantized:
        """The quantized model."""
        return Quantized(self._bridge, self._java.quantized())

    @property
    def evaluation(self) -> Optional[Evaluation]:
        """How close it is to the float model; None where there were no rows to evaluate on."""
        return optional(self._java.evaluation(), lambda java: Evaluation(self._bridge, java))


class LayerComparison(Result):
    """A quantized model beside the float one, layer by layer."""

    @property
    def weights(self) -> List[Dict[str, Any]]:
        """The figures of each weight that both models have, in the order of the graph."""
        return self.to_dict()["comparison"]["weights"]

    @property
    def tensors(self) -> List[Dict[str, Any]]:
        """Of each tensor that both compute, ``accumulated`` and ``local``; empty without rows."""
        return self.to_dict()["comparison"].get("tensors", [])


class Sensitivity(Result):
    """What quantizing each layer costs by itself."""

    @property
    def layers(self) -> List[Dict[str, Any]]:
        """The figures of each layer in each type, the most sensitive first."""
        return self.to_dict()["sensitivity"]["layers"]

    @property
    def all_layers(self) -> List[Dict[str, Any]]:
        """The figures of all layers together, of each type."""
        return self.to_dict()["sensitivity"]["all_layers"]


class Mix(Result):
    """The types of layers that cost least, in bytes or time, and keep a target."""

    @property
    def overrides(self) -> List[Dict[str, Any]]:
        """What quantizes the model so: entries of ``quantize.overrides``."""
        return self.to_dict()["mix"]["overrides"]

    @property
    def size_bytes(self) -> int:
        """The bytes of the weights, their scales aside."""
        return self.to_dict()["mix"]["bytes"]

    @property
    def metric(self) -> float:
        """What the assignment is judged to be."""
        return self.to_dict()["mix"]["chosen_metric"]

    @property
    def front(self) -> List[Dict[str, Any]]:
        """What none that was measured beats in both cost and metric, the cheapest first."""
        return self.to_dict()["mix"]["pareto_front"]

    @property
    def evaluations(self) -> int:
        """How often a whole model was judged."""
        return self._java.evaluations()


class Recommendation(Result):
    """Which way to quantize a model is the cheapest that is good enough, and why."""

    @property
    def job_file(self) -> Optional[str]:
        """The settings of a run that makes what was chosen, in YAML; None if nothing was measured."""
        return optional(self._java.jobFile(), str)


class Observation(Result):
    """The qparams of columns of a table."""

    @property
    def qparams(self) -> List[Dict[str, Any]]:
        """Of each column, or of each slice or batch of it."""
        return self.to_dict()["qparams"]

    @property
    def states(self) -> Dict[str, State]:
        """What was observed, by slice, the whole table's under an empty name."""
        return by_name(self._java.states(), lambda java: State(self._bridge, java))

    def __str__(self) -> str:
        """The qparams, a line each."""
        return "\n".join(str(one) for one in self.qparams)


class DriftCheck(Result):
    """How far what is observed now is from a reference."""

    @property
    def verdict(self) -> str:
        """Of the whole, the gravest of its tensors': stable, moved-a-little or moved."""
        return self._java.verdict().id()

    @property
    def effect(self) -> float:
        """The largest effect of a tensor, in standard deviations."""
        return self._java.report().effect()

    @property
    def tensors(self) -> List[Dict[str, Any]]:
        """The figures of each tensor, the gravest first; those of ``result.json``."""
        return self.to_dict()["drift"]["tensors"]

    @property
    def state(self) -> State:
        """What was observed now."""
        return State(self._bridge, self._java.state())


class Inspection:
    """What a file holds: a calibration state, or a quantized model."""

    def __init__(self, bridge: Bridge, java: Any) -> None:
        self._bridge = bridge
        self._java = java

    @property
    def state(self) -> Optional[State]:
        """The calibration state, if it is one."""
        return optional(self._java.state(), lambda java: State(self._bridge, java))

    def to_dict(self) -> Dict[str, Any]:
        """All of it; ``what`` is ``state`` or ``model``."""
        return json.loads(self._bridge.call(self._java.toJson))


class DryRun(NamedTuple):
    """What a run would do."""

    settings: List[Tuple[str, str, str]]
    """Every setting that has a value, with the value and where it was said."""

    observed: List[str]
    """The tensors that would be observed."""

    quantized_nodes: int
    """How many nodes would be quantized with ranges from data."""

    float_nodes: List[Tuple[str, str, str]]
    """Operator, name and reason of what would stay float32."""

    task_bytes: int
    """About what a task needs for observed tensors and their counters, besides the model's memory."""

    outside_bytes: int
    """About what an executor needs outside of the heap: the loaded model and its tasks' tensors."""

    heap_bytes: int
    """About what an executor needs on the heap, besides what Spark takes there."""

    @classmethod
    def _of(cls, java: Any) -> DryRun:
        memory = optional(java.memory(), lambda need: need)
        return cls(
            [(one.key(), one.value(), one.origin()) for one in java.settings()],
            list(java.observed().keySet()),
            java.quantizedNodes(),
            [(one.opType(), one.name(), one.reason()) for one in java.floatNodes()],
            java.taskBytes(),
            memory.outsideBytes() if memory else 0,
            memory.heapBytes() if memory else 0,
        )
