-- The request that wrk repeats: method, path, body and headers come as arguments; %n in the body is a number that grows.
local body, n
local chars = 0

function init(args)
  wrk.method = args[1]
  wrk.path = args[2]
  body = args[3]
  for i = 4, #args, 2 do
    wrk.headers[args[i]] = args[i + 1]
  end
  n = 0
  math.randomseed(os.time())
  chars = math.random(1e6, 9e6)
end

function request()
  if body == "" then
    return wrk.format()
  end
  n = n + 1
  return wrk.format(nil, nil, nil, (body:gsub("%%n", chars .. n)))
end

function done(summary, latency, requests)
  io.write(string.format("\nRESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
