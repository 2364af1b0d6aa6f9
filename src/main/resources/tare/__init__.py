"""Calibrates and quantizes ONNX models on Spark, from PySpark.

The module is in Tare's jar, which a session takes by ``spark.jars.packages``, or by ``spark.jars``
with the same jar among ``--py-files`` or on ``sys.path``::

    from tare import Tare

    tare = Tare(spark)
    c = tare.calibrate("hdfs:///models/m.onnx").data(df).by("country").run()
    q = tare.quantize("hdfs:///models/m.onnx").state(c.state).run()
    e = tare.evaluate("hdfs:///models/m.onnx", q).data(validation).label("label").run()
    q.write("s3a://bucket/quantized")
    print(e.outputs)

Names are those of the Java library, words apart by underscores. The work is done in Spark's driver
and on its executors; nothing of a table or a model passes through Python. ``tare.torch`` has PyTorch's
observers and QConfigs for tensors at hand.
"""

from __future__ import annotations

import json
import os
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Union,
)

from tare._bridge import Bridge, TareError
from tare._calls import (
    Calibrate,
    CalibrateStream,
    Call,
    CheckDrift,
    Compare,
    Evaluate,
    Finetune,
    MeasureSensitivity,
    Merge,
    MixTypes,
    Observe,
    Plot,
    Quantize,
    Recalibrate,
    Recommend,
    Run,
)
from tare._results import (
    Calibration,
    DriftCheck,
    DryRun,
    Evaluation,
    Histogram,
    Inspection,
    LayerComparison,
    Mix,
    Observation,
    Quantized,
    Recalibration,
    Recommendation,
    Result,
    RunResult,
    Sensitivity,
    State,
    StreamResult,
)
from tare._settings import SETTINGS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "Calibrate",
    "CalibrateStream",
    "Calibration",
    "Call",
    "CheckDrift",
    "Compare",
    "DriftCheck",
    "DryRun",
    "Evaluate",
    "Evaluation",
    "Finetune",
    "Histogram",
    "Inspection",
    "LayerComparison",
    "MeasureSensitivity",
    "Merge",
    "Mix",
    "MixTypes",
    "Observation",
    "Observe",
    "Plot",
    "Quantize",
    "Quantized",
    "Recalibrate",
    "Recalibration",
    "Recommend",
    "Recommendation",
    "Result",
    "Run",
    "RunResult",
    "Sensitivity",
    "Setting",
    "State",
    "StreamResult",
    "Tare",
    "TareError",
    "settings",
]

PathLike = Union[str, "os.PathLike[str]"]


class Setting(NamedTuple):
    """What ``set`` takes under a name."""

    default: str
    """Empty where there is none; a note where it depends on other settings."""

    help: str
    """What the setting means."""


def settings(prefix: str = "") -> Dict[str, Setting]:
    """The settings that calls take by ``set``, by name, in the order of the settings' page.

    ``NAME`` in a name stands for the name of a model's input.

    Args:
        prefix: only those whose names begin so, as in ``"quantize.weight"``.
    """
    return {name: Setting(*of) for name, of in SETTINGS.items() if name.startswith(prefix)}


class Tare:
    """Tare on a classic Spark session.

    Each method describes a run; nothing happens before its ``run()``. What is not said is as the
    session's ``spark.tare.*`` has it, else as the defaults below. The session's settings stay as
    they were. Safe to use from several threads; a call belongs to one.

    Args:
        spark: a session whose driver has Tare's jar; not one of Spark Connect.

    Raises:
        TareError: if it is one of Spark Connect, or does not have the jar.
    """

    def __init__(self, spark: SparkSession) -> None:
        self._bridge = Bridge(spark)
        self._java = self._bridge.tare

    @property
    def version(self) -> str:
        """The version of the jar."""
        return self._bridge.jvm.org.tare.Tare.version()

    def calibrate(self, model: PathLike) -> Calibrate:
        """Observes a float model on rows.

        Args:
            model: the path of an ONNX model, on any file system that Hadoop reaches.
        """
        return Calibrate(self._bridge, self._call(self._java.calibrate, model))

    def calibrate_stream(self, model: PathLike) -> CalibrateStream:
        """Observes a float model on rows that keep coming; the states go into a store.

        Args:
            model: an ONNX model, on any file system that Hadoop reaches.
        """
        return CalibrateStream(
            self._bridge,
            self._call(
                self._bridge.jvm.org.tare.streams.CalibrateStream.on, self._bridge.session, model
            ),
        )

    def quantize(self, model: PathLike) -> Quantize:
        """Writes a float model in integers."""
        return Quantize(self._bridge, self._call(self._java.quantize, model))

    def evaluate(self, model: PathLike, quantized: Union[Quantized, PathLike]) -> Evaluate:
        """Compares a float model with a quantized one on rows.

        Args:
            model: the path of the float model.
            quantized: what ``quantize`` gave, or the path of a model, of Tare or of another tool.
        """
        other = quantized._java if isinstance(quantized, Quantized) else quantized
        return Evaluate(self._bridge, self._call(self._java.evaluate, model, other))

    def run(self, model: PathLike) -> Run:
        """Calibrates, quantizes and, if there are rows for it, evaluates."""
        return Run(self._bridge, self._call(self._java.run, model))

    def finetune(self, model: PathLike) -> Finetune:
        """Trains a float model for its quantized form; needs libtorch's jars."""
        return Finetune(self._bridge, self._call(self._java.finetune, model))

    def compare(self, model: PathLike, quantized: PathLike) -> Compare:
        """Compares the tensors inside of a quantized model with the float ones.

        Args:
            model: the path of the float model.
            quantized: the path of a quantized one, of Tare or of another tool.
        """
        return Compare(self._bridge, self._call(self._java.compare, model, quantized))

    def sensitivity(self, model: PathLike) -> MeasureSensitivity:
        """Measures on rows what quantizing each layer costs, one at a time."""
        return MeasureSensitivity(self._bridge, self._call(self._java.sensitivity, model))

    def mix(self, model: PathLike) -> MixTypes:
        """Finds the types of layers that cost least and keep a target on rows."""
        return MixTypes(self._bridge, self._call(self._java.mix, model))

    def recommend(self, model: PathLike) -> Recommend:
        """Tries the ways to quantize a model on sample rows, and says which is enough."""
        return Recommend(self._bridge, self._call(self._java.recommend, model))

    def recalibrate(self, model: PathLike) -> Recalibrate:
        """Compares new rows with what a deployed model was calibrated on; makes it anew if needed."""
        return Recalibrate(self._bridge, self._call(self._java.recalibrate, model))

    def rollback(self, output: PathLike, to: Optional[str] = None) -> str:
        """Brings a former version of a deployed output back.

        Args:
            to: the version; the last one before what is deployed if it is not said.

        Returns:
            The version that is deployed now.
        """
        call = self._call(self._java.rollback, output)
        if to is not None:
            self._call(call.to, to)
        return self._call(call.run)

    def window(self, store: PathLike, length: str, as_of: str) -> State:
        """The sum of the slices of days in a row, from a state store.

        Args:
            length: as ``7d``.
            as_of: the last day, as ``2026-11-25``.
        """
        states = self._call(self._java.states, store)
        return State(self._bridge, self._call(states.window, length, as_of).state())

    def states(self, store: PathLike) -> List[Dict[str, Any]]:
        """The slices of a state store; one that is not there yet has none."""
        states = self._call(self._java.states, store)
        listed = self._bridge.jvm.org.tare.States.toJson(states.list())
        return json.loads(listed)["states"]

    def observe(self, rows: Union[DataFrame, PathLike]) -> Observe:
        """Observes columns of a table, without a model.

        Args:
            rows: a DataFrame, or the path of files.
        """
        return Observe(self._bridge, self._call(self._java.observe, self._bridge.rows(rows)))

    def drift(self, reference: Union[State, PathLike]) -> CheckDrift:
        """Compares what is observed now with a reference.

        Args:
            reference: a state, or the path of its file.
        """
        java = reference._java if isinstance(reference, State) else reference
        return CheckDrift(self._bridge, self._call(self._java.drift, java))

    def read_state(self, file: PathLike) -> State:
        """The calibration state in a file.

        Raises:
            TareError: if there is no such file, or it holds something else.
        """
        return State(self._bridge, self._call(self._java.readState, file))

    def merge(self, states: Sequence[Union[State, PathLike]]) -> Merge:
        """Adds states of the same model, or of columns.

        Args:
            states: states, or paths of their files.
        """
        read = [s if isinstance(s, State) else self.read_state(s) for s in states]
        return Merge(self._bridge, self._call(self._java.merge, [s._java for s in read]))

    def plot(self, state: State, tensor: str) -> Plot:
        """Draws how the values of a tensor are distributed, and the ranges that hold them."""
        return Plot(self._bridge, self._call(self._java.plot, state._java, tensor))

    def inspect(self, file: PathLike) -> Inspection:
        """What a state holds, or what is quantized in an ONNX model."""
        return Inspection(self._bridge, self._call(self._java.inspect, file))

    @staticmethod
    def settings(prefix: str = "") -> Dict[str, Setting]:
        """The settings that calls take by ``set``; the same as ``tare.settings``."""
        return settings(prefix)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        return self._bridge.call(method, *arguments)


def _listed() -> str:
    lines = []
    for name, setting in settings().items():
        lines.append("    " + name + (" = " + setting.default if setting.default else ""))
        lines.append("        " + setting.help)
    return "\n".join(lines)


# With python -OO there are no docstrings.
if Tare.__doc__:
    Tare.__doc__ += "\n    Settings, with their defaults:\n\n" + _listed() + "\n"
