-- Stores a new result. KEYS and ARGV: time to live, then as `create` takes them. Answers 1 where the result is new.
return create(1, 2, ARGV[1]) and 0 or 1
