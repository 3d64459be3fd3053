-- Puts a message that was never queued to the dead letters. ARGV[3]: tenant, id or '', body, reason, most dead letters of a tenant, their
-- time to live in seconds.
bury(ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8])
