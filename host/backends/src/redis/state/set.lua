-- Stores one entry of the state. KEYS: state. ARGV: most keys, most bytes, time to live, key, value. Answers STORED, KEYS or BYTES.
local over = over_bound(KEYS[1], 4, tonumber(ARGV[1]), tonumber(ARGV[2]))
if over then
    return over
end
store(KEYS[1], 4, ARGV[3])
return 'STORED'
