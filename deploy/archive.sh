# Read by deploy/tare: an archive of loaded classes, which Java starts from sooner (class data sharing).

# archive_option COMMAND CLASSPATH: sets $archive to the option of java that uses the archive, or has one made when a command
# that loads most classes ends; to nothing where neither can be. An archive is of one Java, one jar and one class path.
archive_option() {
  key=$(ls -lL "$(command -v "$java")" "$jar" | cksum | cut -d ' ' -f 1)-$(echo "$2" | cksum | cut -d ' ' -f 1)
  file=$home/target/classes-$key.jsa
  archive=
  # Its first bytes are written last.
  if [ "$(head -c 4 "$file" 2>/dev/null | od -A n -t x1 | tr -d ' \n')" = a8ab0bf0 ]; then
    archive=-XX:SharedArchiveFile=$file
  elif [ -w "$home/target" ]; then
    case $1 in
      demo | run | calibrate)
        find "$home/target" -maxdepth 1 -name 'classes-*.jsa' -exec rm -f {} +
        archive=-XX:ArchiveClassesAtExit=$file
        ;;
    esac
  fi
}
