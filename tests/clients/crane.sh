#!/usr/bin/env bash
# crane: push, pull, copy, indexes, many tags, deletion, and changes made inside the registry.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs crane
crane() { command crane --insecure "$@"; }

step "login"
# crane keeps what it is given; the registry is asked at the next command.
expect_ok crane auth login "$registry" -u "$user" -p "$wrong_password"
expect_fail "$refused" crane push "$images/single" "$registry/team/app:1"
expect_ok crane auth login "$registry" -u "$user" -p "$password"

step "push one image and pull it back"
expect_ok crane push "$images/single" "$registry/team/app:1"
expect_equal "digest that crane tells" "$single_digest" "$(crane digest "$registry/team/app:1")"
expect_ok crane validate --remote "$registry/team/app:1"
expect_ok crane pull --format oci "$registry/team/app:1" "$work/back"
expect_same_blobs "$images/single" "$work/back"
crane export "$registry/team/app:1" - | tar -xO hello | cmp - "$work/hello"
layer=$(crane manifest "$registry/team/app:1" | jq -r '.layers[1].digest')
crane blob "$registry/team/app@$layer" | cmp - "$(blob single "$layer")"

step "nobody pulls from a private project, everybody from a public one"
expect_ok crane auth logout "$registry"
expect_fail "$refused" crane pull "$registry/team/app:1" "$work/nothing.tar"
expect_fail "$refused" crane ls "$registry/team/app"
make_public team
expect_ok crane pull "$registry/team/app:1" "$work/anonymous.tar"
expect_fail "$refused" crane push "$images/single" "$registry/team/app:2"
expect_ok crane auth login "$registry" -u "$user" -p "$password"

step "an index with all its platforms, up, across and down"
expect_ok crane push --index "$images/multi" "$registry/team/multi:layout"
# An index.json becomes an index around what it lists, so the index itself is one step further down.
expect_ok crane copy "$registry/team/multi@$multi_digest" "$registry/team/multi:1"
expect_whole_index team/multi 1
expect_ok crane copy "$registry/team/multi:1" "$registry/other/multi:copy"
expect_whole_index other/multi copy
expect_ok crane validate --remote "$registry/other/multi:copy"
expect_ok crane pull --format oci "$registry/other/multi:copy" "$work/multi"
expect_same_blobs "$images/multi" "$work/multi"
expect_equal "platform chosen" arm64 "$(crane config --platform linux/arm64 "$registry/team/multi:1" | jq -r .architecture)"

step "changes inside the registry"
expect_ok crane tag "$registry/team/app:1" again
expect_equal "digest of the second tag" "$single_digest" "$(crane digest "$registry/team/app:again")"
tar -cf "$work/more.tar" -C "$work" hello.c
expect_ok crane append --base "$registry/team/app:1" --new_layer "$work/more.tar" --new_tag "$registry/team/app:more"
expect_equal "layers" 3 "$(crane manifest "$registry/team/app:more" | jq '.layers | length')"
expect_ok crane mutate "$registry/team/app:1" --label a=b --tag "$registry/team/app:label"
expect_equal "label" b "$(crane config "$registry/team/app:label" | jq -r .config.Labels.a)"
expect_ok crane flatten "$registry/team/app:more" --tag "$registry/team/app:flat"
expect_equal "layers" 1 "$(crane manifest "$registry/team/app:flat" | jq '.layers | length')"
expect_ok crane index filter "$registry/team/multi:1" --platform linux/arm64 --tag "$registry/team/multi:arm"
expect_ok crane index append --manifest "$registry/team/app:1" --tag "$registry/team/multi:appended"

step "tags and repositories, over several pages"
# crane asks for a thousand at a time.
many_tags team/pages 1050
expect_equal "tags of team/pages" "$(seq -f 'v%g' 1050 | sort)" "$(crane ls "$registry/team/pages" | sort)"
expect_equal "repositories" "other/multi team/app team/multi team/pages" "$(crane catalog "$registry" | sort | xargs)"

step "delete a tag, then a manifest"
expect_ok crane delete "$registry/team/app:again"
expect_fail "$missing" crane digest "$registry/team/app:again"
expect_equal "the other tag on the same manifest" "$single_digest" "$(crane digest "$registry/team/app:1")"
expect_ok crane delete "$registry/team/app@$single_digest"
expect_fail "$missing" crane digest "$registry/team/app:1"
expect_equal "tags left" "flat label more" "$(crane ls "$registry/team/app" | sort | xargs)"
