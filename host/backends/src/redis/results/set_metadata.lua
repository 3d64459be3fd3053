-- Stores metadata, all or none. KEYS: result, metadata. ARGV: fence or '', most keys, most bytes, time to live, entries.
-- Answers STORED, MISSING, FENCED, KEYS or BYTES. An attempt whose result is final holds it no more.
local result = standing(KEYS[1])
if not result then
    return 'MISSING'
elseif not sound(result) then
    return malformed(KEYS[1])
elseif ARGV[1] ~= '' and (FINAL[result.state] or tonumber(ARGV[1]) < result.attempt) then
    return 'FENCED'
end
local over = over_bound(KEYS[2], 5, tonumber(ARGV[2]), tonumber(ARGV[3]))
if over then
    return over
end
store(KEYS[2], 5, ARGV[4])
return 'STORED'
