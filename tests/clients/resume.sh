#!/usr/bin/env bash
# An upload that was interrupted goes on where it stopped, also when the server was killed in between.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

header() { # NAME: of the answer in $work/answer
  tr -d '\r' <"$work/answer" | awk -v name="${1,,}:" 'tolower($1) == name { print $2 }' | tail -n 1
}

# Sends a request about an upload and checks the status; the place of the upload may change with every answer.
upload() { # WANTED-STATUS METHOD LOCATION [CURL-ARGUMENTS…]
  local wanted=$1 method=$2 location status
  location=$(address_of "$3")
  shift 3
  # No waiting for "100 Continue": it only makes the log harder to read.
  status=$(curl -sS --max-time 60 -u "$user:$password" -X "$method" -D "$work/answer" -o "$work/body" -w '%{http_code}' \
    -H 'expect:' "$@" "$location")
  if [ "$status" != "$wanted" ]; then
    cat "$work/answer" "$work/body" >&2
    fail "$method $location: wanted $wanted, got $status"
  fi
  next=$(header location)
  next=$(address_of "${next:-$location}")
}

piece() { # FROM TO, both included, as a range says it
  dd if="$work/whole" of="$work/piece" bs=1M iflag=skip_bytes,count_bytes skip="$1" count="$(($2 - $1 + 1))" status=none
}

patch() { # FROM TO
  piece "$1" "$2"
  upload 202 PATCH "$next" -H 'content-type: application/octet-stream' -H "content-range: $1-$2" \
    --data-binary "@$work/piece"
  expect_equal "range after bytes $1-$2" "0-$2" "$(header range)"
}

finish() {
  upload 201 PUT "$(address_of "$next" "$digest")"
  web "/v2/team/app/blobs/$digest" -L | cmp - "$work/whole" || fail "the blob is not what was sent"
}

new_blob() { # BYTES
  head -c "$1" /dev/urandom >"$work/whole"
  digest=$(sha256_of "$work/whole")
}

step "a piece, the status, the rest"
new_blob 12582912
upload 202 POST /v2/team/app/blobs/uploads/
patch 0 5242879
upload 204 GET "$next"
expect_equal "range in the status" 0-5242879 "$(header range)"
patch 5242880 12582911
finish

step "a piece that does not follow is refused and changes nothing"
new_blob 12582912
upload 202 POST /v2/team/app/blobs/uploads/
patch 0 999999
here_it_is=$next
piece 2000000 2999999
upload 416 PATCH "$next" -H 'content-type: application/octet-stream' -H 'content-range: 2000000-2999999' \
  --data-binary "@$work/piece"
upload 204 GET "$here_it_is"
expect_equal "range in the status" 0-999999 "$(header range)"

step "the server is killed between two pieces"
kill_wharf
start_wharf
upload 204 GET "$next"
expect_equal "range after the restart" 0-999999 "$(header range)"
patch 1000000 4999999

step "the server is killed in the middle of a piece: what was acknowledged counts"
piece 5000000 12582911
curl -sS --max-time 60 -u "$user:$password" -X PATCH -o /dev/null -H 'expect:' -H 'content-type: application/octet-stream' \
  -H 'content-range: 5000000-12582911' --data-binary "@$work/piece" --limit-rate 2M "$next" >"$work/slow.log" 2>&1 &
slow=$!
# The server's own files say when it has got some of the piece.
stored_bytes() { du -sb "$work/data" 2>/dev/null | cut -f 1 || true; }
stored() { [ "$(stored_bytes)" -gt "$1" ]; }
before=$(stored_bytes)
wait_until 20 stored "$((before + 500000))" || fail "the server stored nothing of the piece"
kill_wharf
wait "$slow" && fail "the slow piece was acknowledged although the server was killed"
start_wharf
upload 204 GET "$next"
from=$(header range)
from=${from#0-}
[ "$from" -ge 4999999 ] || fail "an acknowledged piece is lost: the upload ends at $from"
[ "$from" -lt 12582911 ] || fail "the upload claims to have what was never sent"
patch "$((from + 1))" 12582911
finish

step "everything that was acknowledged before is still there"
kill_wharf
start_wharf
web "/v2/team/app/blobs/$digest" -L | cmp - "$work/whole" || fail "the blob is gone after a kill"

step "a download that stopped goes on"
expect_ok web "/v2/team/app/blobs/$digest" -L -r 0-4999999 -o "$work/downloaded"
expect_equal "bytes of the first part" 5000000 "$(stat -c %s "$work/downloaded")"
expect_ok web "/v2/team/app/blobs/$digest" -L -C - -o "$work/downloaded"
cmp "$work/downloaded" "$work/whole"

step "an upload is nobody else's"
upload 202 POST /v2/team/app/blobs/uploads/
expect_equal "status of somebody else's upload" 401 "$(status_of "${next#"http://$registry"}" -X PATCH --data-binary 'x')"

step "an upload that is given up is gone"
upload 204 DELETE "$next"
upload 404 GET "$next"

step "one POST with the whole blob"
new_blob 1000
upload 201 POST "/v2/team/app/blobs/uploads/?digest=$digest" -H 'content-type: application/octet-stream' --data-binary "@$work/whole"

step "bytes that are not what the digest says are refused"
upload 202 POST /v2/team/app/blobs/uploads/
upload 400 PUT "$(address_of "$next" "sha256:$(printf '%064d' 0)")" \
  -H 'content-type: application/octet-stream' --data-binary "@$work/whole"
