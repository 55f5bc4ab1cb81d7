"""The rows of the table, one module each: TITLE says what is measured, run(bench) returns its lines. A row with
ONLY_WHEN_ASKED is run with --growth, or when --only names it."""

# In this order: the rows that want an empty server come before those that seed it.
ORDER = ["manifest_get", "manifest_get_basic", "manifest_head", "blob_head", "blob_get", "manifest_get_tags", "tags_page",
         "referrers_page", "image_push", "image_push_fsyncs", "blob_push", "collection", "ready", "ready_full",
         "memory_idle", "memory_load", "memory_s3", "binary_size", "growth"]
