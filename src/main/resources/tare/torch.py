"""PyTorch's observers, QConfigs and quantized tensors by their names, with PyTorch's figures.

They are computed in the driver's JVM: an active classic Spark session must have Tare's jar. ::

    from tare.torch import HistogramObserver, QConfig, quantize_per_tensor

    observer = HistogramObserver(qscheme="per_tensor_symmetric")
    for batch in batches:
        observer(batch)
    scale, zero_point = observer.calculate_qparams()
    print(quantize_per_tensor(batch, scale[0], zero_point[0], "quint8").int_repr())

A tensor is a number, lists in lists, or an array of NumPy or PyTorch; values become float32. Types
and schemes are texts, as ``"qint8"`` and ``"per_channel_symmetric"``. A table is observed by
``Tare.observe`` instead, on the executors.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Sequence, Type

from tare._bridge import Bridge, TareError, by_name
from tare._tensors import Tensors, flat, nested

__all__ = [
    "FakeQuantize",
    "FusedMovingAvgObsFakeQuantize",
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "PerChannelMinMaxObserver",
    "QConfig",
    "QParams",
    "QuantizedTensor",
    "WithArgs",
    "compute_sqnr",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "quantize_per_channel",
    "quantize_per_tensor",
]


class QParams(NamedTuple):
    """What maps numbers to integers: one scale and zero point, or one for each channel."""

    scale: List[float]
    zero_point: List[float]
    """Whole numbers, but of the scheme ``per_channel_affine_float_qparams``."""

    def __str__(self) -> str:
        """Four digits of each scale, and the zero points."""
        scales = ", ".join(f"{one:.4f}" if one >= 0.001 else f"{one:.3e}" for one in self.scale)
        return f"scale [{scales}], zero_point [{', '.join(map(str, self.zero_point))}]"


class WithArgs:
    """A class with arguments: what makes an observer or a fake quantization when it is called."""

    def __init__(self, made: type, arguments: Dict[str, Any]) -> None:
        self.made = made
        self.arguments = arguments

    def __call__(self, **more: Any) -> Any:
        """A new one."""
        return self.made(**{**self.arguments, **more})

    def with_args(self, **more: Any) -> WithArgs:
        """The same with other arguments."""
        return WithArgs(self.made, {**self.arguments, **more})

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={_shown(value)}" for name, value in self.arguments.items())
        return f"{self.made.__name__}.with_args({said})"


def _shown(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


class _Observer:
    """Sees batches in order and computes qparams.

    The arguments are PyTorch's: ``dtype``, ``qscheme``, ``reduce_range``, ``quant_min``,
    ``quant_max``, ``eps``; what is not given is as PyTorch has it for ``quint8``.

    Raises:
        TareError: if PyTorch would refuse the arguments.
    """

    def __init__(self, **arguments: Any) -> None:
        self._bridge = Bridge.active()
        self._tensors = Tensors(self._bridge)
        self._config = _config(self._bridge, type(self), arguments)
        self._java = self._bridge.call(self._bridge.jvm.org.tare.torch.TorchObserver, self._config)

    @classmethod
    def with_args(cls, **arguments: Any) -> WithArgs:
        """What a QConfig holds: this observer with arguments."""
        return WithArgs(cls, arguments)

    def __call__(self, batch: Any) -> Any:
        """Observes a batch and gives it back.

        Raises:
            TareError: if it is no tensor, or has no such channels.
        """
        numbers, shape = flat(batch)
        tensors = self._tensors
        self._bridge.call(self._java.observe, tensors.floats(numbers), tensors.longs(shape))
        return batch

    @property
    def min_val(self) -> List[float]:
        """The least value that was seen, or its moving average; one, or one for each channel."""
        return self._tensors.float_list(self._java.min())

    @property
    def max_val(self) -> List[float]:
        """The greatest, likewise."""
        return self._tensors.float_list(self._java.max())

    def calculate_qparams(self) -> QParams:
        """Scale and zero point; 1 and 0 if nothing was seen.

        Raises:
            TareError: if a NaN was seen.
        """
        return _qparams(self._bridge.call(self._java.qparams))


class MinMaxObserver(_Observer):
    """The least and the greatest value; arguments as of all observers."""


class MovingAverageMinMaxObserver(_Observer):
    """Moving averages of the batches' least and greatest values; takes ``averaging_constant`` too."""


class HistogramObserver(_Observer):
    """A histogram, and the range in it of least squared error.

    Takes ``bins``, and ``version``: ``torch-2.5`` (and later), ``torch-2.0`` or ``torch-1.13``, whose
    figures differ; before 2.5 ``upsample_rate`` too.
    """


class PerChannelMinMaxObserver(_Observer):
    """The least and the greatest value of each channel; takes ``ch_axis`` too."""


class MovingAveragePerChannelMinMaxObserver(_Observer):
    """Moving averages of them; takes ``ch_axis`` and ``averaging_constant`` too."""


class FakeQuantize:
    """Observes a batch, and gives it quantized and dequantized: what training sees of integers.

    Args:
        observer: its class; the other arguments are the observer's.
    """

    _kind = "FAKE_QUANTIZE"

    def __init__(
        self, observer: Type[_Observer] = MovingAverageMinMaxObserver, **arguments: Any
    ) -> None:
        self._bridge = Bridge.active()
        self._tensors = Tensors(self._bridge)
        torch = self._bridge.jvm.org.tare.torch
        kind = torch.FakeQuantizeConfig.Kind.valueOf(self._kind)
        config = torch.FakeQuantizeConfig(kind, _config(self._bridge, observer, arguments))
        self._java = self._bridge.call(torch.FakeQuantizeModule, config)

    @classmethod
    def with_args(cls, **arguments: Any) -> WithArgs:
        """What a QConfig holds: this fake quantization with arguments."""
        return WithArgs(cls, arguments)

    def __call__(self, batch: Any) -> Any:
        """The batch on the grid of the qparams, as lists in lists.

        Raises:
            TareError: if it is no tensor, or holds a NaN.
        """
        numbers, shape = flat(batch)
        tensors = self._tensors
        result = self._bridge.call(
            self._java.forward, tensors.floats(numbers), tensors.longs(shape)
        )
        return nested(tensors.float_list(result.y()), shape)

    def enable_observer(self, enabled: bool = True) -> FakeQuantize:
        """Observes batches, or keeps the qparams as they are."""
        self._java.setObserving(enabled)
        return self

    def enable_fake_quant(self, enabled: bool = True) -> FakeQuantize:
        """Quantizes batches, or gives them back as they are."""
        self._java.setQuantizing(enabled)
        return self

    def calculate_qparams(self) -> QParams:
        """The qparams now in use."""
        return _qparams(self._java.qparams())


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """The same with moving averages in one kernel, whose qparams differ in the last bits."""

    _kind = "FUSED_MOVING_AVERAGE"


class QConfig(NamedTuple):
    """How activations and weights are observed, or fake-quantized: classes, with or without args."""

    activation: Any
    weight: Any

    def settings(self) -> Dict[str, Any]:
        """The same for ``set`` of a quantization by Tare: methods, types and schemes.

        Raises:
            TareError: if a part is not an observer, or has an argument that no setting has.
        """
        return {**_settings("activation", self.activation), **_settings("weight", self.weight)}


def get_default_qconfig(backend: str = "x86") -> QConfig:
    """PyTorch's QConfig after training: for ``x86``, ``fbgemm``, ``onednn`` or ``qnnpack``.

    Raises:
        TareError: if it is another backend.
    """
    torch = Bridge.active().jvm.org.tare.torch
    return _qconfig(torch.TorchQConfig.postTraining(_backend(backend)))


def get_default_qat_qconfig(backend: str = "x86", version: int = 1) -> QConfig:
    """PyTorch's QConfig for training, with fake quantizations.

    Args:
        version: 0 with ``FakeQuantize``, 1 with the fused one.

    Raises:
        TareError: if it is another backend or version.
    """
    if version not in (0, 1):
        raise TareError("USAGE", f"version cannot be {version!r}: it is 0 or 1")
    torch = Bridge.active().jvm.org.tare.torch
    return _qconfig(torch.TorchQConfig.training(_backend(backend), version))


class QuantizedTensor:
    """A tensor in integers, and what they stand for."""

    def __init__(self, bridge: Bridge, java: Any, shape: Sequence[int]) -> None:
        self._tensors = Tensors(bridge)
        self._java = java
        self._shape = shape

    def int_repr(self) -> Any:
        """The integers, as lists in lists."""
        return nested(self._tensors.int_list(self._java.integers()), self._shape)

    def dequantize(self) -> Any:
        """The numbers that the integers stand for, as lists in lists."""
        return nested(self._tensors.float_list(self._java.dequantize()), self._shape)


def quantize_per_tensor(x: Any, scale: float, zero_point: int, dtype: str) -> QuantizedTensor:
    """Quantizes with one scale and zero point.

    Raises:
        TareError: if one of the arguments cannot be used.
    """
    bridge = Bridge.active()
    quant = bridge.jvm.org.tare.quant
    numbers, shape = flat(x)
    values = Tensors(bridge).floats(numbers)
    kind = bridge.call(quant.DType.of, dtype)
    java = bridge.call(
        quant.QuantizedTensor.perTensor, values, float(scale), int(zero_point), kind
    )
    return QuantizedTensor(bridge, java, shape)


def quantize_per_channel(
    x: Any, scales: Sequence[float], zero_points: Sequence[int], axis: int, dtype: str
) -> QuantizedTensor:
    """Quantizes with a scale and zero point for each index of an axis.

    Raises:
        TareError: if one of the arguments cannot be used.
    """
    bridge = Bridge.active()
    quant = bridge.jvm.org.tare.quant
    tensors = Tensors(bridge)
    numbers, shape = flat(x)
    java = bridge.call(
        quant.QuantizedTensor.perChannel,
        tensors.floats(numbers),
        tensors.longs(shape),
        tensors.floats(scales),
        tensors.ints(zero_points),
        axis,
        bridge.call(quant.DType.of, dtype),
    )
    return QuantizedTensor(bridge, java, shape)


def compute_sqnr(x: Any, y: Any) -> float:
    """Signal to quantization noise in dB of ``y`` beside ``x``: 20 log10(norm(x) / norm(x - y)).

    Pairs of which one is NaN or infinite are left out. Infinite for no noise.

    Raises:
        TareError: if they are not of one shape.
    """
    bridge = Bridge.active()
    tensors = Tensors(bridge)
    left, shape = flat(x)
    right, other = flat(y)
    if shape != other:
        raise TareError("USAGE", f"Cannot compare tensors of the shapes {shape} and {other}")
    fidelity = bridge.jvm.org.tare.quant.Fidelity()
    fidelity.add(tensors.floats(left), tensors.floats(right), 0, len(left))
    return fidelity.sqnr()


def _config(bridge: Bridge, observer: type, arguments: Dict[str, Any]) -> Any:
    read = bridge.jvm.org.tare.torch.ObserverArguments.read
    return bridge.call(read, observer.__name__, arguments)


def _qparams(java: Any) -> QParams:
    scales = [one.scale() for one in java]
    zero_points = [one.zeroPoint() for one in java]
    return QParams(scales, [int(one) if one == int(one) else one for one in zero_points])


_OBSERVERS: Dict[str, Type[_Observer]] = {
    observer.__name__: observer
    for observer in (
        MinMaxObserver,
        MovingAverageMinMaxObserver,
        HistogramObserver,
        PerChannelMinMaxObserver,
        MovingAveragePerChannelMinMaxObserver,
    )
}

_FAKE_QUANTIZES: Dict[str, Type[FakeQuantize]] = {
    fake._kind: fake for fake in (FakeQuantize, FusedMovingAvgObsFakeQuantize)
}

# How ``set`` names the choice of a range; of a weight, seen once, an average is the value itself.
_METHODS: Dict[str, Dict[str, str]] = {
    "activation": {
        "MinMaxObserver": "minmax",
        "MovingAverageMinMaxObserver": "moving-average",
        "HistogramObserver": "mse",
    },
    "weight": {
        "MinMaxObserver": "minmax",
        "MovingAverageMinMaxObserver": "minmax",
        "PerChannelMinMaxObserver": "minmax",
        "MovingAveragePerChannelMinMaxObserver": "minmax",
        "HistogramObserver": "mse",
    },
}

# The arguments that settings have too.
_SET: Dict[str, Sequence[str]] = {
    "activation": ("dtype", "qscheme", "reduce_range", "averaging_constant"),
    "weight": ("dtype", "qscheme"),
}


def _backend(name: str) -> str:
    known = ("x86", "fbgemm", "onednn", "qnnpack")
    if name not in known:
        raise TareError("USAGE", f"backend cannot be {name!r}: it is one of {', '.join(known)}")
    return name


def _qconfig(java: Any) -> QConfig:
    return QConfig(_module(java.activation()), _module(java.weight()))


def _module(java: Any) -> Any:
    jvm = Bridge.active().jvm
    config = java.observer()
    observer = _OBSERVERS[config.kind().className()]
    arguments = by_name(jvm.org.tare.torch.ObserverArguments.of(config), lambda value: value)
    if not java.fakeQuantize().isPresent():
        return WithArgs(observer, arguments) if arguments else observer
    fake = _FAKE_QUANTIZES[java.fakeQuantize().get().name()]
    return WithArgs(fake, {"observer": observer, **arguments})


def _settings(part: str, module: Any) -> Dict[str, Any]:
    made = module.made if isinstance(module, WithArgs) else module
    arguments = module.arguments if isinstance(module, WithArgs) else {}
    method = _METHODS[part].get(getattr(made, "__name__", ""))
    if method is None:
        raise TareError(
            "USAGE",
            f"Cannot quantize {part}s by {module!r}: it is one of {', '.join(_METHODS[part])}",
        )
    unknown = [name for name in arguments if name not in _SET[part]]
    if unknown:
        raise TareError(
            "USAGE",
            f"Cannot quantize {part}s with the argument {unknown[0]!r}: no setting says so",
        )
    config = _config(Bridge.active(), made, arguments)
    settings = {
        "method": method,
        "dtype": config.dtype().get().id(),
        "scheme": config.scheme().id(),
    }
    if config.reduceRange():
        settings["reduce-range"] = True
    if "averaging_constant" in arguments:
        settings["constant"] = arguments["averaging_constant"]
    return {f"quantize.{part}.{name}": value for name, value in settings.items()}
