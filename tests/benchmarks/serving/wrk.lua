-- Sends the lines of a file in turn, one a request, and prints what was measured as one line of JSON.
local bodies, at = {}, 0

function init(arguments)
   if not arguments[1] then
      return
   end
   wrk.method = "POST"
   for line in io.lines(arguments[1]) do
      bodies[#bodies + 1] = wrk.format(nil, nil, nil, line)
   end
   request = function()
      at = at % #bodies + 1
      return bodies[at]
   end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(
      string.format(
         '\nmeasured {"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "max_ms": %.4f, "errors": %d}\n',
         summary.requests,
         summary.duration / 1e6,
         latency:percentile(50) / 1e3,
         latency:percentile(99) / 1e3,
         latency.max / 1e3,
         errors.connect + errors.read + errors.write + errors.status + errors.timeout
      )
   )
end
