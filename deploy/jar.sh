# Read by the scripts that need Tare's jar; $home is the project's folder.

# is_finished JAR: whether a build has come to its end. One that is killed leaves a jar that is cut off, without its list of
# files and the 22 bytes behind it, or a whole one of Tare's own classes alone, which the libraries are added to last.
is_finished() {
  [ -f "$1" ] && [ "$(tail -c 22 "$1" | head -c 4 | od -A n -t x1 | tr -d ' \n')" = 504b0506 ] \
    && tail -c 2000000 "$1" | LC_ALL=C grep -q org/tare/shaded/
}

# build_jar SCRIPT: sets $jar, which is built if there is no finished one or a source is newer.
build_jar() {
  # The project's own version is the first in its pom.
  jar=$home/target/tare-$(sed -n 's,.*<version>\(.*\)</version>.*,\1,p' "$home/pom.xml" | head -n 1).jar
  if ! is_finished "$jar" || [ -n "$(find "$home/pom.xml" "$home/src/main" -newer "$jar" | head -n 1)" ]; then
    echo "$1: building the jar, once" >&2
    (cd "$home" && mvn -q -B -Dstyle.color=never -DskipTests package) >&2 && is_finished "$jar" \
      || { echo "$1: the build failed" >&2; exit 70; }
  fi
}
