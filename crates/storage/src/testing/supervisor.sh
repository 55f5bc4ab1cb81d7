# Runs one S3 server for a test program. Arguments: folder for everything, then the server and its arguments. When the pipe on
# standard input closes, however the test program ended, the server is killed and the folder removed.
folder=$1
shift
cd /
"$@" </dev/null >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$folder"
