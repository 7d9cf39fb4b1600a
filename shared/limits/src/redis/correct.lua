-- Makes good what was charged.
-- KEYS: the counters. ARGV: the time in microseconds (0 for this server's), how far ahead a counter may
-- be; then of each counter its limit, 1 for on or -1 for back, and microseconds and parts of how far.
local now, ahead = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end

for i = 1, #KEYS do
    local limit, way = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
    local micros, parts = now, 0
    local kept = redis.call('GET', KEYS[i])
    if kept then
        local whole, rest = string.match(kept, '^(%d+) (%d+)$')
        micros, parts = tonumber(whole) or now, tonumber(rest) or 0
        if parts >= limit then micros, parts = micros + 1, 0 end
        if micros < now then micros, parts = now, 0 end
    end
    micros = micros + way * tonumber(ARGV[4 * i + 1])
    parts = parts + way * tonumber(ARGV[4 * i + 2])
    if parts >= limit then micros, parts = micros + 1, parts - limit end
    if parts < 0 then micros, parts = micros - 1, parts + limit end
    if micros >= now + ahead then micros, parts = now + ahead, 0 end
    if micros < now then
        redis.call('DEL', KEYS[i])
    else
        local lifetime = math.ceil((micros - now) / 1000) + 1000
        redis.call('SET', KEYS[i], string.format('%.0f %.0f', micros, parts), 'PX', lifetime)
    end
end
return 1
