-- Requests that take one session after the other, and what was counted, as one line of JSON.
-- wrk … -s wrk.lua URL -- COOKIES…: the Cookie header of each session.
local requests = {}
local at = 0

function init(args)
  if #args < 2 then
    request = nil -- One session: -H says it, and nothing is to be done for a request.
    return
  end
  for i = 1, #args do
    local headers = { ['Cookie'] = args[i] }
    for name, value in pairs(wrk.headers) do
      headers[name] = value
    end
    requests[i] = wrk.format('GET', wrk.path, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(
    string.format(
      '\n{"requests":%d,"duration":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
      summary.requests,
      summary.duration,
      errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50),
      latency:percentile(99)
    )
  )
end
