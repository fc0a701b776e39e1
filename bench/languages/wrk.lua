-- The requests take one Cookie header after the other: wrk … -s wrk.lua URL -- COOKIES…. What was counted ends the output, as JSON.
local requests = {}
local at = 0

function init(args)
  if #args == 1 then
    wrk.headers['Cookie'] = args[1]
    request = nil -- wrk makes the one request itself, once: nothing runs for each.
    return
  end
  for i = 1, #args do
    requests[i] = wrk.format('GET', nil, { ['Host'] = wrk.headers['Host'], ['Cookie'] = args[i] })
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary)
  local e = summary.errors
  io.write(
    string.format(
      '\n{"requests":%d,"duration":%d,"failed":%d}\n',
      summary.requests,
      summary.duration,
      e.status + e.connect + e.read + e.write + e.timeout
    )
  )
end
