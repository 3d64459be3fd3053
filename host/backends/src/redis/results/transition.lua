-- Steps in the lives of results. ARGV: times to live of a result, a value and a report, then for each step its name, fence, node and
-- the moment of the attempt's start, '' where that is stored already; and for a finish also its moment, state, contents, encoding,
-- content type, channel, report, how many stops and starts of its waits are not to be counted, and 1 where there may be state. KEYS:
-- for each the result, and for a finish also value and report, and the state where there may be one. Answers for each APPLIED, FENCED,
-- MISSING, FINAL and the state it has, or MALFORMED and a reason. A step that is sent again, since its answer was lost, is told apart
-- by its fence and counts once.
local result_ttl, value_ttl, report_ttl = ARGV[1], ARGV[2], ARGV[3]
local running, suspended = '"RUNNING"', '"SUSPENDED"'

-- The states of the requests that are done, removed together.
local states = {}

-- Adds a field to those that a step sets.
local function put(fields, name, value)
    local count = #fields
    fields[count + 1], fields[count + 2] = name, value
end

-- The state that a step leads to; a finish names its own.
local leads_to = { resume = running, suspend = suspended, retry = suspended }

-- The steps by name: each changes what is known of the result, and adds the fields that not every step sets. A start comes before any
-- of them, and may come alone.
local steps = {}

function steps.resume(result, fields, arguments)
    result.starts = result.starts + 1
    put(fields, 'node_id', ARGV[arguments + 2])
end

function steps.suspend(result)
    result.stops = result.stops + 1
end

function steps.retry(result, fields)
    result.stops = result.stops + 1
    put(fields, 'retries', whole(result.retries + 1))
end

function steps.finish(result, fields, arguments)
    result.stops = math.max(result.stops + 1 - number_in(ARGV[arguments + 11]), 0)
    result.starts = math.max(result.starts - number_in(ARGV[arguments + 12]), 0)
    put(fields, 'finished', ARGV[arguments + 4])
end

local function kept_state(arguments)
    return ARGV[arguments + 13] == '1'
end

-- What lies beside a result that is done.
local function settle(keys, arguments, result)
    local report = ARGV[arguments + 10]
    conclude(KEYS[keys], result, KEYS[keys + 1], value_ttl, ARGV, arguments + 6)
    if report ~= '' then
        redis.call('SET', KEYS[keys + 2], report, 'EX', report_ttl)
    end
    if kept_state(arguments) then
        states[#states + 1] = KEYS[keys + 3]
    end
end

local function take(keys, arguments)
    local key, step, fence = KEYS[keys], ARGV[arguments], number_in(ARGV[arguments + 1])
    local result = standing(key)
    if not result then
        return 'MISSING'
    elseif FINAL[result.state] then
        if step == 'finish' then
            -- Mognet's client revokes with a value that would live for ever.
            redis.call('EXPIRE', KEYS[keys + 1], value_ttl, 'NX')
        end
        return 'FINAL ' .. result.state
    elseif not sound(result) then
        return malformed(key)
    elseif fence < result.attempt then
        return 'FENCED'
    end
    local finishes, started, fields = step == 'finish', ARGV[arguments + 3], {}
    if started ~= '' and fence > result.attempt then
        result.state, result.attempt, result.starts = running, fence, result.starts + 1
        put(fields, 'started', started)
        put(fields, 'node_id', ARGV[arguments + 2])
        if not finishes then
            put(fields, 'attempt', ARGV[arguments + 1])
        end
    end
    if steps[step] and not (fence == result.attempt and result.state == leads_to[step]) then
        steps[step](result, fields, arguments)
        result.state = leads_to[step] or ARGV[arguments + 5]
    end
    redis.call('HSET', key, 'state', result.state, 'number_of_starts', whole(result.starts), 'number_of_stops', whole(result.stops),
        unpack(fields))
    if finishes then
        settle(keys, arguments, result)
    end
    live_on(key, result, finishes and ARGV[arguments + 4] or started, result_ttl)
    return 'APPLIED'
end

local function size(arguments)
    if ARGV[arguments] == 'finish' then
        return kept_state(arguments) and 4 or 3, 14
    end
    return 1, 4
end

local answers, failed = take_each(4, size, take)
if failed then
    return failed
end
if states[1] then
    redis.call('DEL', unpack(states))
end
announce()
return answers
