-- Steps in the lives of results. ARGV: times to live of a result, a value and a report, then twelve for each step; KEYS: result,
-- value, report and state of each. Answers for each APPLIED, FENCED, MISSING, FINAL and the state it has, or MALFORMED and a reason.
-- A step that is sent again, since its answer was lost, is told apart by its fence and counts once.
local result_ttl, value_ttl, report_ttl = ARGV[1], ARGV[2], ARGV[3]
local running, suspended = '"RUNNING"', '"SUSPENDED"'

-- The state of those that are done, removed together.
local states = {}

local function finish(keys, arguments, result)
    local key, report = KEYS[keys], ARGV[arguments + 9]
    local stops, starts = result.stops + 1 - tonumber(ARGV[arguments + 10]), result.starts - tonumber(ARGV[arguments + 11])
    redis.call('HSET', key, 'state', ARGV[arguments + 4], 'finished', ARGV[arguments + 3],
        'number_of_stops', whole(math.max(stops, 0)), 'number_of_starts', whole(math.max(starts, 0)))
    conclude(key, KEYS[keys + 1], value_ttl, ARGV, arguments + 5)
    if report ~= '' then
        redis.call('SET', KEYS[keys + 2], report, 'EX', report_ttl)
    end
    live_on(key, result, ARGV[arguments + 3], result_ttl)
    states[#states + 1] = KEYS[keys + 3]
end

local function take(keys, arguments)
    local key, step, fence = KEYS[keys], ARGV[arguments], tonumber(ARGV[arguments + 1])
    local node_id, at = ARGV[arguments + 2], ARGV[arguments + 3]
    local result = standing(key)
    if not result then
        return 'MISSING'
    elseif FINAL[result.state] then
        return 'FINAL ' .. result.state
    elseif not sound(result) then
        return malformed(key)
    elseif fence < result.attempt then
        return 'FENCED'
    end
    if step == 'finish' then
        finish(keys, arguments, result)
        return 'APPLIED'
    end
    local same = fence == result.attempt
    if step == 'start' then
        if not (same and result.state == running) then
            start(key, result, ARGV[arguments + 1], node_id, at, result_ttl)
        end
    elseif step == 'resume' then
        if not (same and result.state == running) then
            redis.call('HSET', key, 'state', running, 'node_id', node_id, 'number_of_starts', whole(result.starts + 1))
        end
    elseif not (same and result.state == suspended) then
        redis.call('HSET', key, 'state', suspended, 'number_of_stops', whole(result.stops + 1))
        if step == 'retry' then
            redis.call('HSET', key, 'retries', whole(result.retries + 1))
        end
    end
    redis.call('EXPIRE', key, result_ttl)
    return 'APPLIED'
end

local answers = {}
for i = 1, #KEYS / 4 do
    local answer, failed = apart(take, 4 * i - 3, 12 * i - 8)
    if failed then
        return failed
    end
    answers[i] = answer
end
if states[1] then
    redis.call('DEL', unpack(states))
end
announce()
return answers
