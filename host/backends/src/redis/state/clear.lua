-- Removes the state. KEYS: state, result. ARGV: the fence of an attempt that must hold the request, or ''. Answers STORED, MISSING or
-- FENCED.
local why = ARGV[1] ~= '' and refused(KEYS[2], ARGV[1])
if why then
    return why
end
redis.call('UNLINK', KEYS[1])
return 'STORED'
