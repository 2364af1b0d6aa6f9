"""Between Python and the driver's JVM: values, calls and errors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, Callable, Dict, Optional


class TareError(Exception):
    """A failure that the caller can act on, in one sentence.

    Attributes:
        kind: ``USAGE`` (a wrong key or value), ``BAD_INPUT`` (the data or the model is not what it
            should be), ``MISSING_INPUT``, ``NOTHING_TO_QUANTIZE`` (the model is fine, but a result would
            be a copy of it), ``CANNOT_WRITE``, ``TRY_AGAIN`` (the cluster failed in a way that may
            not happen again) or ``INTERNAL`` (a defect of Tare).
        message: what could not be done, and why.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


class Bridge:
    """A session's JVM, and Tare in it.

    Args:
        spark: a classic session whose driver has Tare's jar.
    """

    def __init__(self, spark: Any) -> None:
        jvm = getattr(spark, "_jvm", None)
        session = getattr(spark, "_jsparkSession", None)
        if jvm is None or session is None:
            kind = type(spark)
            raise TareError(
                "USAGE",
                f"Cannot use Tare on {kind.__module__}.{kind.__qualname__}: it needs a classic"
                " SparkSession, whose driver runs beside Python; Spark Connect has none",
            )
        from py4j.java_gateway import JavaClass

        if not isinstance(jvm.org.tare.Tare, JavaClass):
            raise TareError(
                "USAGE",
                "Cannot use Tare: its jar is not on the class path of Spark's driver; start the"
                " session with it, by spark.jars, --jars or spark.jars.packages",
            )
        self.jvm = jvm
        self.session = session
        self.tare = self.call(jvm.org.tare.Tare.on, session)

    @classmethod
    def active(cls) -> Bridge:
        """That of the session that is active, or else of the one that was started last.

        Raises:
            TareError: if there is none.
        """
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession

        try:
            return cls(SparkSession.active())
        except PySparkRuntimeError:
            pass
        raise TareError(
            "USAGE", "Cannot compute without a Spark session, whose driver does it: start one first"
        )

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a method of Java's; its failure becomes a TareError without Java's stack trace."""
        converted = [self._to_java(argument) for argument in arguments]
        try:
            return method(*converted)
        except Exception as error:
            known = _tare_error(error)
            if known is None:
                raise
        raise known

    def rows(self, rows: Any) -> Any:
        """What Java takes as rows: the DataFrame of a classic session, or a path.

        Raises:
            TareError: if it is anything else.
        """
        if isinstance(rows, (str, os.PathLike)):
            return os.fspath(rows)
        frame = getattr(rows, "_jdf", None)
        if frame is None:
            kind = type(rows)
            raise TareError(
                "USAGE",
                f"Cannot read rows from {kind.__module__}.{kind.__qualname__}: give a DataFrame of"
                " a classic SparkSession, or a path",
            )
        return frame

    def path(self, file: Any) -> Any:
        """A file of the driver's machine."""
        return self.jvm.java.io.File(os.fspath(file)).toPath()

    def _to_java(self, value: Any) -> Any:
        from py4j.java_gateway import JavaObject

        if value is None or isinstance(value, (str, bool, JavaObject)):
            return value
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        # Numbers of other libraries too.
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real):
            return float(value)
        if isinstance(value, Mapping):
            converted = self.jvm.java.util.LinkedHashMap()
            for key, one in value.items():
                converted.put(str(key), self._to_java(one))
            return converted
        if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
            converted = self.jvm.java.util.ArrayList()
            for one in value:
                converted.add(self._to_java(one))
            return converted
        raise TareError(
            "USAGE",
            f"A setting cannot be of the type {type(value).__qualname__}: it is a text, a number, a"
            " boolean, a list or a dict",
        )


def _tare_error(error: Exception) -> Optional[TareError]:
    # PySpark replaces some exceptions by its own, which keep Java's as their origin.
    cause = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while cause is not None:
        if cause.getClass().getName() == "org.tare.TareException":
            return TareError(cause.kind().name(), cause.getMessage())
        cause = cause.getCause()
    return None


def by_name(java_map: Any, converted: Callable[[Any], Any]) -> Dict[str, Any]:
    """A map of Java's with texts as keys, in its order."""
    return {entry.getKey(): converted(entry.getValue()) for entry in java_map.entrySet()}


def optional(java_optional: Any, converted: Callable[[Any], Any]) -> Any:
    """The value of an Optional of Java's, or None."""
    return converted(java_optional.get()) if java_optional.isPresent() else None
