"""Recalibrates a model every night, by Airflow's Spark provider.

Put it into the folder of DAGs; the connection ``spark_default`` says which cluster. A run may be repeated: the same
run again changes nothing. Of two at once, one does it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

LAKE = "s3a://lake/rows/day={{ ds }}"
STATES = "s3a://models/digits/states"
DEPLOYED = "s3a://models/digits/deployed"

with DAG(
    dag_id="tare_recalibrate",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
) as dag:
    SparkSubmitOperator(
        task_id="recalibrate",
        conn_id="spark_default",
        name="tare recalibrate {{ ds }}",
        application="/opt/tare/tare-0.1.0.jar",
        java_class="org.tare.cli.Tare",
        application_args=[
            "recalibrate",
            "--model", "s3a://models/digits/float.onnx",
            "--data", LAKE,
            "--validation", "s3a://lake/validation.parquet",
            "--label", "label",
            "--store", STATES,
            "--slice", "{{ ds }}",
            "--window", "7d",
            "--as-of", "{{ ds }}",
            "--output", DEPLOYED,
            "--set", "evaluate.max-top1-drop=0.01",
        ],
        retries=2,
        retry_delay=timedelta(minutes=10),
    )
