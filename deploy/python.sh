# Read by the scripts that need Python.

# find_python SCRIPT CHECK PACKAGE...: sets $python to the Python that TARE_PYTHON names, else to python3 if the Python code
# CHECK passes there, else to that of a virtual environment in target/SCRIPT, which is made once from the packages. Where
# none can be had, it says so and ends the script: what needs Python is left out.
find_python() {
  script=$1
  check=$2
  shift 2
  python=${TARE_PYTHON:-}
  if [ -n "$python" ]; then
    "$python" -c "$check" 2>/dev/null || { echo "$script: $python lacks one of $*" >&2; exit 1; }
  elif command -v python3 >/dev/null && python3 -c "$check" 2>/dev/null; then
    python=python3
  elif command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null; then
    python=$home/target/$script/bin/python
    if ! "$python" -c "$check" 2>/dev/null; then
      echo "$script: installing $*, once" >&2
      python3 -m venv "$home/target/$script"
      "$home/target/$script/bin/pip" install -q --disable-pip-version-check "$@" || {
        rm -rf "$home/target/$script"
        echo "$script: $* could not be installed here: left out" >&2
        exit 0
      }
    fi
  else
    echo "no Python with pyspark here: left out"
    exit 0
  fi
}
