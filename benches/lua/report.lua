-- Prints what wrk measured as one JSON line. Arguments after "--": a path prefix and a count make every request ask
-- for the next of PREFIX000000, PREFIX000001, … with the count spread evenly over at most a thousand requests. Then follow
-- what stands behind the number, and how many digits it has (6).
local requests, at = {}, 0

function init(args)
  local prefix, count = args[1], tonumber(args[2])
  if not prefix then return end
  local step = math.max(1, math.floor(count / 1000))
  for n = 0, count - 1, step do
    requests[#requests + 1] = wrk.format(nil, string.format("%s%0" .. (args[4] or "6") .. "d%s", prefix, n, args[3] or ""))
  end
  request = function()
    at = at % #requests + 1
    return requests[at]
  end
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    'JSON {"count":%d,"seconds":%.6f,"rate":%.3f,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
