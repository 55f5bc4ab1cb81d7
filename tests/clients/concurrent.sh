#!/usr/bin/env bash
# apt, dnf and helm update in a loop while eight upload packages and charts through two servers, on PostgreSQL and an S3 server, and
# both are killed now and then: no client sees an error that a kill does not explain, and everything acknowledged is listed.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs apt-get dnf helm
needs_root

step "what the servers stand on"
expect_ok "$repo/tests/install-tools" postgresql seaweedfs

step "uploads, updates and kills"
cd "$repo"
# PostgreSQL runs as a user of its own, who has to reach its folder.
expect_ok env TMPDIR=/tmp "$(dirname "$wharf")/wharf-faults" --wharf "$wharf" publish --kills 4 --packages 8 --programs apt-get,dnf,helm
for client in AptGet Dnf Helm; do expect_said "$client: [0-9]+ updates"; done
expect_said 'all listed'
