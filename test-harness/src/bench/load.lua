-- What wrk sends: the request with one token after the other, from a file with a token on each line.
-- Arguments: the file, the place of the first token, the method, the path.

local requests = {}
local at

function init(arguments)
  local file, first, method, path = arguments[1], tonumber(arguments[2]), arguments[3], arguments[4]
  for token in io.lines(file) do
    -- Made ahead: making one takes longer than sending it.
    requests[#requests + 1] = wrk.format(method, path, { ["Authorization"] = "Bearer " .. token })
  end
  at = first % #requests
end

function request()
  at = at + 1
  if at > #requests then
    at = 1
  end
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'bench {"requests":%d,"micros":%d,"p50_micros":%d,"p99_micros":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
