# Runs one PostgreSQL cluster for a test program. Arguments: folder of the programs, folder for everything else.
# Commands on standard input: start, stop. At its end the cluster is stopped and the folder removed.
programs=$1
folder=$2

# PostgreSQL refuses a private key that others may read, and to run as root.
chmod -R go= "$folder"
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown -R "$(id -u "$user"):$(id -g "$user")" "$folder"
    as() { setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups -- "$@"; }
else
    as() { "$@"; }
fi

# The order of an English dictionary, so that a key compared by the server's locale instead of bytewise is noticed.
create() {
    as "$programs/initdb" -D "$folder/data" -U wharf -A trust -E UTF8 --no-sync \
        --locale=C --locale-provider=icu --icu-locale=en && cat "$folder/settings" >>"$folder/data/postgresql.conf"
}

run() {
    as "$programs/pg_ctl" -D "$folder/data" -w -t 60 "$@"
}

answer() {
    if "$@" </dev/null >>"$folder/log" 2>&1; then echo done; else echo failed; fi
}

start() {
    run -l "$folder/data/log" start
}

create_and_start() {
    create && start
}

cd /
answer create_and_start
while read -r command; do
    case $command in
        start) answer start ;;
        stop) answer run -m fast stop ;;
    esac
done
run -m immediate stop >/dev/null 2>&1 </dev/null
rm -rf "$folder"
