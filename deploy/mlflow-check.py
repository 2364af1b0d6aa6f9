"""Starts an MLflow server, lets Tare log two outputs there, and checks what MLflow's own client finds."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import mlflow
from mlflow.tracking import MlflowClient

TARE = sys.argv[1]
MODEL = pathlib.Path(TARE).parent.parent / "src/main/resources/org/tare/demo/digits-mobilenet.onnx"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait(url: str, server: subprocess.Popen) -> None:
    for _ in range(180):
        try:
            with urllib.request.urlopen(url + "/health", timeout=5):
                return
        except OSError:
            assert server.poll() is None, "the server ended"
            time.sleep(1)
    raise AssertionError("the server does not answer")


def quantize(url: str, output: pathlib.Path, mode: str) -> str:
    done = subprocess.run(
        [TARE, "quantize", "--model", str(MODEL), "--mode", mode, "--output", str(output)]
        + ["--set", "registry.mlflow.url=" + url, "--set", "registry.mlflow.model=digits"],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stderr


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        url = f"http://127.0.0.1:{free_port()}"
        with open(folder / "server.log", "w") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
                + ["--port", url.rsplit(":", 1)[1]]
                + ["--backend-store-uri", f"sqlite:///{folder}/store.db"]
                + ["--artifacts-destination", str(folder / "artifacts")],
                stdout=log,
                stderr=log,
            )
            try:
                wait(url, server)
                check(url, folder)
            finally:
                server.terminate()
                server.wait(60)


def check(url: str, folder: pathlib.Path) -> None:
    mlflow.set_tracking_uri(url)
    client = MlflowClient()
    for number, mode in enumerate(["dynamic", "weight-only"], start=1):
        output = folder / mode
        said = quantize(url, output, mode)
        assert f"version {number} of digits" in said, said
        experiment = client.get_experiment_by_name("tare")
        run = client.search_runs([experiment.experiment_id])[0]
        assert run.info.status == "FINISHED", run
        assert run.data.params["quantize.mode"] == mode, run.data.params
        result = json.loads((output / "result.json").read_text())
        assert run.data.metrics["quantized.bytes"] == result["quantized"]["bytes"]
        assert run.data.tags["tare.output"].endswith(str(output)), run.data.tags
        copy = pathlib.Path(
            mlflow.artifacts.download_artifacts(
                run_id=run.info.run_id, dst_path=str(folder / f"copy{number}")
            )
        )
        for file in ["model.onnx", "qparams.json", "report.html", "result.json"]:
            assert (copy / file).read_bytes() == (output / file).read_bytes(), file
        version = client.get_model_version("digits", str(number))
        assert version.run_id == run.info.run_id, version
        print(f"{mode}: run {run.info.run_id}, version {version.version}, {len(run.data.metrics)} metrics")
    print(f"MLflow {mlflow.__version__} has what was published")


if __name__ == "__main__":
    main()
