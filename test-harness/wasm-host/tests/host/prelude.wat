;; Memory: 0..1024 scratch (16 and 20: where host calls put pointer and size), 1024..4096 the
;; context of each call token, 4096.. the guest's texts, 65536.. the heap.
(memory (export "memory") 2)
(global $heap (mut i32) (i32.const 65536))
(global $count (mut i32) (i32.const 0))
;; The request that came last.
(global $last (mut i32) (i32.const 0))

(func (export "proxy_abi_version_0_2_1"))
(func (export "_initialize"))

;; A bump allocator that grows the memory, and traps when it can't.
(func $allocate (export "proxy_on_memory_allocate") (param $size i32) (result i32)
  (local $at i32)
  (local.set $at (global.get $heap))
  (global.set $heap (i32.add (global.get $heap)
    (i32.and (i32.add (local.get $size) (i32.const 8)) (i32.const -8))))
  (block $enough
    (loop $more
      (br_if $enough (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
      (br $more)))
  (local.get $at))

(func $say (param $text i32) (param $size i32)
  (drop (call $log (i32.const 2) (local.get $text) (local.get $size))))

;; Logs a number of up to nine digits.
(func $say_number (param $level i32) (param $number i32)
  (local $at i32)
  (local.set $at (i32.const 64))
  (loop $digit
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at)
      (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
    (br_if $digit (local.get $number)))
  (drop (call $log (local.get $level) (local.get $at) (i32.sub (i32.const 64) (local.get $at)))))

;; Logs a status other than Ok.
(func $did (param $status i32)
  (if (local.get $status) (then (call $say_number (i32.const 3) (local.get $status)))))

;; Logs what a host call has given, or its status.
(func $found (param $status i32)
  (if (local.get $status)
    (then (call $did (local.get $status)))
    (else (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))))
  (i64.store (i32.const 16) (i64.const 0)))

;; Logs a call's token and notes its context, or logs the status.
(func $dispatched (param $context i32) (param $status i32)
  (call $did (local.get $status))
  (if (i32.eqz (local.get $status)) (then
    (call $say_number (i32.const 2) (i32.load (i32.const 16)))
    (i32.store
      (i32.add (i32.const 1024) (i32.shl (i32.load (i32.const 16)) (i32.const 2)))
      (local.get $context))))
  (i64.store (i32.const 16) (i64.const 0)))
