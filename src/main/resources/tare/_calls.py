"""Runs to be: what is said of them, and ``run()``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Sequence, TypeVar, Union, overload

from tare._bridge import Bridge, TareError
from tare._results import (
    Calibration,
    DriftCheck,
    DryRun,
    Evaluation,
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

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PathLike = Union[str, "os.PathLike[str]"]
C = TypeVar("C", bound="Call")
T = TypeVar("T", bound="Trials")

_UNSAID = object()


class Call:
    """What all calls have in common: settings by name, and where results go.

    A later call of a method replaces what an earlier one said. ``tare.settings()`` lists the
    settings.
    """

    def __init__(self, bridge: Bridge, java: Any) -> None:
        self._bridge = bridge
        self._java = java

    @overload
    def set(self: C, key: str, value: Any) -> C: ...

    @overload
    def set(self: C, key: Mapping[str, Any]) -> C: ...

    def set(self: C, key: Any, value: Any = _UNSAID) -> C:
        """Sets any setting, or several: ``set("batch", 64)``, ``set({"batch": 64})``.

        A value is a text, a number, a boolean, a list of them, or for ``quantize.overrides`` a list
        of dicts.

        Raises:
            TareError: if there is no such setting, or it does not take the value.
        """
        if value is not _UNSAID:
            self._bridge.call(self._java.set, key, value)
        elif isinstance(key, Mapping):
            self._bridge.call(self._java.set, key)
        else:
            raise TareError("USAGE", f"Cannot set {key!r}: give a name and a value, or a dict")
        return self

    def config(self: C, job_file: PathLike) -> C:
        """Takes the settings of a job file in YAML, on the driver's machine."""
        self._bridge.call(self._java.config, self._bridge.path(job_file))
        return self

    def output(self: C, folder: PathLike) -> C:
        """Where the results are written; checked before anything is computed."""
        return self.set("output", folder)

    def overwrite(self: C) -> C:
        """Replaces a former output of Tare's."""
        return self.set("overwrite", True)

    def batch(self: C, rows: int) -> C:
        """Rows per run of the model."""
        return self.set("batch", rows)

    def key(self: C, column: str) -> C:
        """The column that names rows in messages and chooses samples."""
        return self.set({"data.key": column, "validation.key": column})

    def column(self: C, input: str, column: str) -> C:
        """The column that an input of the model is read from."""
        return self.set(f"inputs.{input}.column", column)

    def skip_bad_rows(self: C) -> C:
        """Counts rows that cannot be decoded and goes on, where they would be an error."""
        return self.set("bad-rows", "skip")

    def run(self) -> Result:
        """Carries the call out.

        Raises:
            TareError: if something is wrong that the caller can act on.
        """
        raise NotImplementedError

    def dry_run(self) -> DryRun:
        """Checks all that a run checks before it computes, and tells what it would do."""
        return DryRun._of(self._bridge.call(self._java.dryRun))

    def _run(self) -> Any:
        return self._bridge.call(self._java.run)

    def _rows(self: C, method: str, rows: Any) -> C:
        self._bridge.call(getattr(self._java, method), self._bridge.rows(rows))
        return self


class Calibrate(Call):
    """A calibration to be: a float model over rows on the executors, and what it holds merged."""

    def data(self, rows: Union[DataFrame, PathLike]) -> Calibrate:
        """The rows: a DataFrame, or files, in Parquet unless ``data.format`` says otherwise."""
        return self._rows("data", rows)

    def sample(self, rows: Union[int, float]) -> Calibrate:
        """Calibrates on so many of the rows, or on a share of them: ``0.1``."""
        return self.set("data.sample", rows)

    def store(self, folder: PathLike, slice: str) -> Calibrate:
        """Keeps the state in a store too, as a slice such as ``2026-11-25``.

        The same slice of the same data again computes nothing.
        """
        return self.set({"store.path": folder, "store.slice": slice})

    def by(self, *columns: str) -> Calibrate:
        """Columns; each combination of their values gets a state of its own, in the same pass."""
        return self.set("calibrate.by", columns)

    def run(self) -> Calibration:
        """Calibrates.

        Raises:
            TareError: if the rows do not fit the model, the output cannot be written, or there is
                nothing to calibrate.
        """
        return Calibration(self._bridge, self._run())


class CalibrateStream(Call):
    """A calibration to be of rows that keep coming: each batch's state goes into a state store.

    A batch counts once, also if Spark gives it again after a crash.
    """

    def rows(self, rows: Union[DataFrame, PathLike]) -> CalibrateStream:
        """The rows: a streaming DataFrame, or a folder of files."""
        return self._rows("rows", rows)

    def store(self, folder: PathLike) -> CalibrateStream:
        """The folder of the state store, which is made if it is not there."""
        return self.set("store.path", folder)

    def name(self, name: str) -> CalibrateStream:
        """The name of the stream, which the names of its slices begin with."""
        return self.set("stream.name", name)

    def checkpoint(self, folder: PathLike) -> CalibrateStream:
        """The folder in which Spark writes down how far the stream was read."""
        return self.set("stream.checkpoint", folder)

    def every(self, interval: str) -> CalibrateStream:
        """Goes on until it is stopped, with a batch each so often: ``1 minute``."""
        return self.set("stream.every", interval)

    def by(self, *columns: str) -> CalibrateStream:
        """Columns; each combination of their values gets a state of its own."""
        return self.set("calibrate.by", columns)

    def run(self) -> StreamResult:
        """Calibrates on what is there now, then ends; with ``every`` it goes on.

        Raises:
            TareError: if a batch failed; those before it are in the store.
        """
        return StreamResult(self._bridge, self._run())

    def dry_run(self) -> DryRun:
        """Not for streams: their rows are not known before they come."""
        raise TareError("USAGE", "A stream has no dry run: its rows are not known before they come")


class Quantize(Call):
    """A quantization to be."""

    def state(self, observed: Union[State, PathLike]) -> Quantize:
        """What calibration observed, or the file of such a state; the mode static needs it."""
        java = observed._java if isinstance(observed, State) else observed
        self._bridge.call(self._java.state, java)
        return self

    def store(self, folder: PathLike) -> Quantize:
        """A state store, of which ``window`` or ``slice`` says what."""
        return self.set("store.path", folder)

    def window(self, length: str, as_of: str) -> Quantize:
        """The slices of days in a row: ``window("7d", "2026-11-25")``."""
        return self.set({"store.window": length, "store.as-of": as_of})

    def slice(self, name: str) -> Quantize:
        """One slice of the store."""
        return self.set("store.slice", name)

    def mode(self, mode: str) -> Quantize:
        """When activations become integers: ``static``, ``dynamic`` or ``weight-only``."""
        return self.set("quantize.mode", mode)

    def backend(self, backend: str) -> Quantize:
        """Whose kernels will run the model, as ``onnxruntime-cpu``."""
        return self.set("quantize.backend", backend)

    def form(self, form: str) -> Quantize:
        """Pairs around float operators (``qdq``), or operators on integers (``qoperator``)."""
        return self.set("quantize.form", form)

    def overrides(self, rules: Sequence[Mapping[str, Any]]) -> Quantize:
        """What differs by operator or name: ``[{"op": "Softmax", "float": True}]``."""
        return self.set("quantize.overrides", rules)

    def run(self) -> Quantized:
        """Quantizes.

        Raises:
            TareError: if the mode needs a state and there is none, or if it is of another model.
        """
        return Quantized(self._bridge, self._run())


class Evaluate(Call):
    """An evaluation to be: both models over rows, and what they give compared."""

    def data(self, rows: Union[DataFrame, PathLike]) -> Evaluate:
        """The rows: a DataFrame, or files, in Parquet unless ``validation.format`` says otherwise."""
        return self._rows("data", rows)

    def label(self, column: str) -> Evaluate:
        """The column of class numbers, for top-1 and top-5."""
        return self.set("validation.label", column)

    def metric_sql(self, expression: str) -> Evaluate:
        """A metric of your own: an expression of Spark SQL over columns, ``float`` and ``quantized``."""
        return self.set("trials.metric-sql", expression)

    def run(self) -> Evaluation:
        """Evaluates.

        Raises:
            TareError: if the rows do not fit the model, or no output can be compared.
        """
        return Evaluation(self._bridge, self._run())


class Run(Call):
    """The whole job to be: calibration, quantization with measured corrections, and evaluation."""

    def data(self, rows: Union[DataFrame, PathLike]) -> Run:
        """The rows to calibrate on; the modes dynamic and weight-only can do without."""
        return self._rows("data", rows)

    def validation(self, rows: Union[DataFrame, PathLike]) -> Run:
        """The rows to evaluate on."""
        return self._rows("validation", rows)

    def label(self, column: str) -> Run:
        """The column of class numbers in the validation rows."""
        return self.set("validation.label", column)

    def by(self, *columns: str) -> Run:
        """Columns; each combination of their values gets a state of its own, in the same pass."""
        return self.set("calibrate.by", columns)

    def overrides(self, rules: Sequence[Mapping[str, Any]]) -> Run:
        """What differs by operator or name: ``[{"op": "Softmax", "float": True}]``."""
        return self.set("quantize.overrides", rules)

    def run(self) -> RunResult:
        """Calibrates, quantizes and evaluates.

        Models, rows and output are checked before anything is computed. If a step after calibration
        fails and there is an output, the state is kept beside it.

        Raises:
            TareError: if something is wrong that the caller can act on.
        """
        return RunResult(self._bridge, self._run())


class Recalibrate(Call):
    """A recalibration to be: looks whether new data moved, and deploys a better model if so.

    The same run again changes nothing. Of two at once, one does it.
    """

    def data(self, rows: Union[DataFrame, PathLike]) -> Recalibrate:
        """The new rows."""
        return self._rows("data", rows)

    def validation(self, rows: Union[DataFrame, PathLike]) -> Recalibrate:
        """The rows to evaluate the candidate and the deployed model on."""
        return self._rows("validation", rows)

    def label(self, column: str) -> Recalibrate:
        """The column of class numbers in the validation rows."""
        return self.set("validation.label", column)

    def store(self, folder: PathLike, slice: str) -> Recalibrate:
        """The state store, and the slice of it that the new rows are."""
        return self.set({"store.path": folder, "store.slice": slice})

    def window(self, length: str, as_of: str) -> Recalibrate:
        """The days whose states make the candidate: ``window("7d", "2026-11-25")``."""
        return self.set({"store.window": length, "store.as-of": as_of})

    def metric(self, name: str, margin: float = 0.0) -> Recalibrate:
        """By what the candidate must be better, and by how much."""
        return self.set({"recalibrate.metric": name, "recalibrate.margin": margin})

    def force(self) -> Recalibrate:
        """Makes a candidate though nothing moved, and though the same run was made before."""
        return self.set("recalibrate.force", True)

    def run(self) -> Recalibration:
        """Recalibrates.

        Raises:
            TareError: if something is wrong that the caller can act on; then what is deployed is as
                it was.
        """
        return Recalibration(self._bridge, self._run())


class Observe(Call):
    """An observation of columns to be."""

    def columns(self, *columns: str) -> Observe:
        """The columns: numbers, arrays of numbers, or binary float32 values."""
        return self.set("observe.column", columns)

    def observer(self, observer: str) -> Observe:
        """The observer, as ``minmax``; ``histogram`` unless it is said."""
        return self.set("observe.observer", observer)

    def by(self, *columns: str) -> Observe:
        """Columns; each combination of their values is observed by itself."""
        return self.set("calibrate.by", columns)

    def run(self) -> Observation:
        """Observes.

        Raises:
            TareError: if there is no such column, or it holds no numbers.
        """
        return Observation(self._bridge, self._run())


class Finetune(Call):
    """A training to be, of a float model for its quantized form; it needs libtorch's jars."""

    def data(self, rows: Union[DataFrame, PathLike]) -> Finetune:
        """The rows to calibrate and to train on."""
        return self._rows("data", rows)

    def validation(self, rows: Union[DataFrame, PathLike]) -> Finetune:
        """The rows to evaluate on."""
        return self._rows("validation", rows)

    def label(self, column: str) -> Finetune:
        """The column of class numbers in the validation rows."""
        return self.set("validation.label", column)

    def overrides(self, rules: Sequence[Mapping[str, Any]]) -> Finetune:
        """What differs by operator or name: ``[{"op": "Softmax", "float": True}]``."""
        return self.set("quantize.overrides", rules)

    def run(self) -> RunResult:
        """Calibrates, quantizes, trains and evaluates.

        Raises:
            TareError: if there is no libtorch, the rows do not fit the model, or it cannot be
                trained.
        """
        return RunResult(self._bridge, self._run())


class Compare(Call):
    """A comparison to be: of the weights of both models, and with rows of the tensors between."""

    def data(self, rows: Union[DataFrame, PathLike]) -> Compare:
        """The rows; without any, weights alone are compared."""
        return self._rows("data", rows)

    def by(self, *columns: str) -> Compare:
        """Columns; each combination of their values gets figures of its own, in the same pass."""
        return self.set("calibrate.by", columns)

    def run(self) -> LayerComparison:
        """Compares.

        Raises:
            TareError: if the models have no tensor in common, or the rows do not fit.
        """
        return LayerComparison(self._bridge, self._run())


class Trials(Call):
    """What trials of a float model's layers have in common: what they start from."""

    def data(self: T, rows: Union[DataFrame, PathLike]) -> T:
        """Rows to calibrate on, and without validation rows to judge on."""
        return self._rows("data", rows)

    def state(self: T, file: PathLike) -> T:
        """The file of a calibration's state, in the place of data."""
        return self.set("state", file)

    def validation(self: T, rows: Union[DataFrame, PathLike]) -> T:
        """Rows to judge on."""
        return self._rows("validation", rows)

    def label(self: T, column: str) -> T:
        """The column of class numbers in the validation rows."""
        return self.set("validation.label", column)

    def metric_sql(self: T, expression: str, better: str = "greater") -> T:
        """A metric of your own: an expression of Spark SQL over columns, ``float`` and ``quantized``.

        Args:
            better: which figures are better, ``greater`` or ``less``.
        """
        return self.set({"trials.metric-sql": expression, "trials.metric-better": better})


class MeasureSensitivity(Trials):
    """A measurement to be: what quantizing each layer costs, one layer at a time."""

    def types(self, *types: str) -> MeasureSensitivity:
        """What each layer is tried in, as ``w8a8`` or ``w4a8``."""
        return self.set("sensitivity.types", types)

    def metric(self, metric: str) -> MeasureSensitivity:
        """What layers are ordered by: ``sqnr``, ``top1``, ``agreement``, ``cosine`` or ``kl``."""
        return self.set("sensitivity.metric", metric)

    def run(self) -> Sensitivity:
        """Measures.

        Raises:
            TareError: if the rows do not fit the model, or it has no layer to try.
        """
        return Sensitivity(self._bridge, self._run())


class MixTypes(Trials):
    """A search to be: for the types of layers that cost least, in bytes or time, and keep a target."""

    def types(self, *types: str) -> MixTypes:
        """What layers may get besides float32, from narrow to wide."""
        return self.set("mix.types", types)

    def min_sqnr(self, decibels: float) -> MixTypes:
        """The least SQNR in dB, of the mean error over all outputs."""
        return self.set("mix.min-sqnr", decibels)

    def max_drop(self, share: float) -> MixTypes:
        """How much of the metric, which is top1 unless said otherwise, may be lost at most."""
        return self.set("mix.max-drop", share)

    def metric(self, metric: str) -> MixTypes:
        """What ``max_drop`` is about: ``top1``, ``agreement``, ``cosine`` or ``kl``."""
        return self.set("mix.metric", metric)

    def cost(self, cost: str) -> MixTypes:
        """What is to be small: ``bytes`` of the weights, or ``time`` for a row on this machine."""
        return self.set("mix.cost", cost)

    def run(self) -> Mix:
        """Searches.

        Raises:
            TareError: if the rows do not fit the model, or nothing keeps the target.
        """
        return Mix(self._bridge, self._run())


class Recommend(Call):
    """A recommendation to be: which way to quantize a model is the cheapest that is good enough."""

    def data(self, rows: Union[DataFrame, PathLike]) -> Recommend:
        """Rows to calibrate on, and without validation rows to judge on."""
        return self._rows("data", rows)

    def validation(self, rows: Union[DataFrame, PathLike]) -> Recommend:
        """Rows to judge on."""
        return self._rows("validation", rows)

    def label(self, column: str) -> Recommend:
        """The column of class numbers in the rows to judge on."""
        return self.set("validation.label", column)

    def budget(self, time: str) -> Recommend:
        """How long to try, as ``10m``."""
        return self.set("recommend.budget", time)

    def max_drop(self, share: float) -> Recommend:
        """How much of the metric may be lost at most."""
        return self.set("recommend.max-drop", share)

    def metric_sql(self, expression: str, better: str = "greater") -> Recommend:
        """A metric of your own: an expression of Spark SQL over columns, ``float`` and ``quantized``.

        Args:
            better: which figures are better, ``greater`` or ``less``.
        """
        return self.set({"trials.metric-sql": expression, "trials.metric-better": better})

    def run(self) -> Recommendation:
        """Tries the ways.

        Raises:
            TareError: if the rows do not fit the model.
        """
        return Recommendation(self._bridge, self._run())


class CheckDrift(Call):
    """A check of drift to be: a state against another one, or against rows, observed first."""

    def current(self, observed: Union[State, PathLike]) -> CheckDrift:
        """What was observed now: a state or its file; or files with rows."""
        java = observed._java if isinstance(observed, State) else observed
        self._bridge.call(self._java.current, java)
        return self

    def data(self, rows: Union[DataFrame, PathLike]) -> CheckDrift:
        """Rows, which are observed: by the reference's model, or as columns if it has none."""
        if isinstance(rows, (str, os.PathLike)):
            return self.current(rows)
        return self._rows("data", rows)

    def model(self, file: PathLike) -> CheckDrift:
        """The float model, where rows are to be observed."""
        return self.set("model", file)

    def inputs_only(self) -> CheckDrift:
        """Observes and compares the model's inputs alone: the model is not run."""
        return self.set("drift.inputs-only", True)

    def quantized(self, deployed: Union[Quantized, PathLike]) -> CheckDrift:
        """The deployed model: what ``quantize`` gave, an output folder or an ONNX file."""
        java = deployed._java if isinstance(deployed, Quantized) else deployed
        self._bridge.call(self._java.quantized, java)
        return self

    def run(self) -> DriftCheck:
        """Compares.

        Raises:
            TareError: if the states are of different models, or hold nothing to compare.
        """
        return DriftCheck(self._bridge, self._run())


class Merge:
    """A sum of states to be."""

    def __init__(self, bridge: Bridge, java: Any) -> None:
        self._bridge = bridge
        self._java = java
        self._existing = "REFUSE"

    def overwrite(self) -> Merge:
        """Lets ``write`` replace a file."""
        self._existing = "REPLACE"
        return self

    def allow_duplicates(self) -> Merge:
        """Counts data twice that two of the states were made on; else that is an error."""
        self._bridge.call(self._java.allowDuplicates)
        return self

    def run(self) -> State:
        """The state of all.

        Raises:
            TareError: if they are of different models, or hold parts that do not merge.
        """
        return State(self._bridge, self._bridge.call(self._java.run))

    def write(self, file: PathLike) -> State:
        """Merges, and writes the state to a file."""
        existing = self._bridge.jvm.org.tare.store.Existing.valueOf(self._existing)
        return State(self._bridge, self._bridge.call(self._java.write, file, existing))


class Plot:
    """A picture to be of how a tensor's values are distributed, and of the ranges that hold them."""

    def __init__(self, bridge: Bridge, java: Any) -> None:
        self._bridge = bridge
        self._java = java
        self._existing = "REFUSE"

    def set(self, key: str, value: Any) -> Plot:
        """Sets one of the settings below ``plot``."""
        self._bridge.call(self._java.set, key, value)
        return self

    def overwrite(self) -> Plot:
        """Lets ``write`` replace a file."""
        self._existing = "REPLACE"
        return self

    def svg(self) -> str:
        """The picture, as SVG.

        Raises:
            TareError: if the state does not hold the tensor, or no finite value of it.
        """
        return self._bridge.call(self._java.svg)

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg()

    def write(self, file: PathLike) -> None:
        """Writes the picture to a file, on any file system that the session reaches."""
        existing = self._bridge.jvm.org.tare.store.Existing.valueOf(self._existing)
        self._bridge.call(self._java.write, file, existing)
