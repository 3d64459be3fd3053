;; Carries out the program that a guest is given as its one argument, a JSON string of hexadecimal digits. Where things lie:
;; 192 the default answer, 1024 the parameters of calls, 8 bytes each, 2048 what calls answer, 3072 ids of children, 4096 data of
;; the program, 32768 the program, 65536 what the host allocates, anew for each call.
(global $answer (mut i32) (i32.const 192))
(data (i32.const 192) "\00\00\00\00\00\00\00\00" "\e0\00\00\00\01\00\00\00")
(data (i32.const 224) "1")
(func $digit (param $at i32) (result i32) (local $c i32)
  (local.set $c (i32.load8_u (local.get $at)))
  (if (result i32) (i32.lt_u (local.get $c) (i32.const 58))
    (then (i32.sub (local.get $c) (i32.const 48)))
    (else (i32.sub (local.get $c) (i32.const 87)))))
;; From the text between its quotes to bytes at 32768; answers where they end.
(func $decode (param $text i32) (param $len i32) (result i32) (local $to i32) (local $end i32)
  (local.set $to (i32.const 32768))
  (local.set $end (i32.sub (i32.add (local.get $text) (local.get $len)) (i32.const 1)))
  (local.set $text (i32.add (local.get $text) (i32.const 1)))
  (loop $next
    (if (i32.lt_u (local.get $text) (local.get $end)) (then
      (i32.store8 (local.get $to)
        (i32.or (i32.shl (call $digit (local.get $text)) (i32.const 4)) (call $digit (i32.add (local.get $text) (i32.const 1)))))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (local.set $text (i32.add (local.get $text) (i32.const 2)))
      (br $next))))
  (local.get $to))
(func $call (param $function i32)
  (global.set $top (i32.const 65536))
  ;;CALLS
  )
(func $carry_out (param $args i32) (result i32)
  (local $at i32) (local $end i32) (local $op i32) (local $count i32) (local $function i32)
  (local.set $end (call $decode (i32.load (local.get $args)) (i32.load offset=4 (local.get $args))))
  (local.set $at (i32.const 32768))
  (loop $next
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (global.get $answer))))
    (local.set $op (i32.load8_u (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    ;; 0: write bytes to an address
    (if (i32.eq (local.get $op) (i32.const 0)) (then
      (local.set $count (i32.load16_u offset=4 (local.get $at)))
      (memory.copy (i32.load (local.get $at)) (i32.add (local.get $at) (i32.const 6)) (local.get $count))
      (local.set $at (i32.add (local.get $at) (i32.add (local.get $count) (i32.const 6))))))
    ;; 1: call a function so many times
    (if (i32.eq (local.get $op) (i32.const 1)) (then
      (local.set $function (i32.load8_u (local.get $at)))
      (local.set $count (i32.load16_u offset=1 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 3)))
      (loop $again
        (if (local.get $count) (then
          (call $call (local.get $function))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $again))))))
    ;; 2: grow memory by pages
    (if (i32.eq (local.get $op) (i32.const 2)) (then
      (drop (memory.grow (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    ;; 3: answer with what lies at an address
    (if (i32.eq (local.get $op) (i32.const 3)) (then
      (global.set $answer (i32.load (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    ;; 4: copy the 36 bytes that an address points to
    (if (i32.eq (local.get $op) (i32.const 4)) (then
      (memory.copy (i32.load (local.get $at)) (i32.load (i32.load offset=4 (local.get $at))) (i32.const 36))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))))
    (br $next))
  unreachable)
