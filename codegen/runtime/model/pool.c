/* Threads wait for work by spinning for 50 us, then in a futex; so does the caller for its threads. While a
 * run is in progress they spin on, for up to 1 ms: an operator that is not divided takes its time, and a
 * thread that fell asleep meanwhile takes tens of microseconds to come. Work is handed over per thread: a
 * ticket that rises. A thread that has not begun when the caller has done its own part loses its part to the
 * caller, and is moved off the caller's CPU: the kernel may leave both there for long while another idles, or
 * have no CPU for it at all. */
#include "codegen/runtime/model/pool.h"

#include "codegen/runtime/model/machine.h"

#define SPIN_NS 50000
#define RUN_SPIN_NS 1000000
#define STACK_BYTES (8l << 20)
#define SEPARATE_NS 1000000     /* at most so often */
#define GUARD_BYTES (64l << 10) /* at least a page on every kernel */

/* FUTEX_WAIT and FUTEX_WAKE, private to the process; the kernel's own wake at a thread's end is shared. */
enum { FUTEX_WAIT = 128, FUTEX_WAKE = 129, FUTEX_WAIT_SHARED = 0 };

typedef struct worker {
  uint32_t ticket; /* rises when there is work, or when the thread must end */
  uint32_t asleep;
  int32_t tid; /* the kernel clears it when the thread has ended */
  int32_t stop;
  int32_t index;
  char* mapping;
  uint32_t begun __attribute__((aligned(128))); /* the last ticket whose part somebody has begun */
} __attribute__((aligned(128))) worker;

static struct {
  uint32_t lock; /* over users, count and starting or ending threads: 0 free, 1 taken */
  uint32_t busy; /* a run has the pool */
  int32_t users;
  int32_t count; /* threads, the callers not included */
  int32_t pid;
  worker workers[HONE_MAX_THREADS];

  /* the call in progress */
  hone_body* body;
  void* argument;
  int64_t extent;
  int32_t parts;
  int64_t separated_ns; /* when threads were last moved */
  uint32_t remaining __attribute__((aligned(128)));
  uint32_t caller_asleep;
} pool;

static void futex_wait(uint32_t* word, uint32_t expected) {
  hone_syscall(HONE_SYS_futex, (long)word, FUTEX_WAIT, (long)expected, 0, 0, 0);
}
static void futex_wake(uint32_t* word) { hone_syscall(HONE_SYS_futex, (long)word, FUTEX_WAKE, 1, 0, 0, 0); }

static void lock(void) {
  while (__atomic_exchange_n(&pool.lock, 1u, __ATOMIC_ACQUIRE) != 0) futex_wait(&pool.lock, 1);
}
static void unlock(void) {
  __atomic_store_n(&pool.lock, 0u, __ATOMIC_RELEASE);
  futex_wake(&pool.lock);
}

/* Some 2 us of spinning until *word differs from `from`; 0 if it does not. */
static int spin_briefly(const uint32_t* word, uint32_t from) {
  for (int i = 0; i < 128; ++i) {
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != from) return 1;
    hone_pause();
  }
  return 0;
}

/* Spins until *word differs from `from`; 0 if the time is over: SPIN_NS, RUN_SPIN_NS while a run has the
 * pool. */
static int spin_while_equal(const uint32_t* word, uint32_t from) {
  int64_t end = 0, limit = 0;
  for (;;) {
    if (spin_briefly(word, from)) return 1;
    /* Whom we wait for may be queued behind us on this very CPU. */
    hone_syscall(HONE_SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    const int64_t now = hone_now_ns();
    if (end == 0) limit = now + RUN_SPIN_NS;
    if (end == 0 || (now < limit && __atomic_load_n(&pool.busy, __ATOMIC_RELAXED) != 0)) end = now + SPIN_NS;
    if (now > end) return 0;
  }
}

static void run_part(int32_t part) {
  const int64_t begin = pool.extent * part / pool.parts;
  const int64_t end = pool.extent * (part + 1) / pool.parts;
  if (begin < end) pool.body(pool.argument, begin, end);
}

/* Whether the part of `ticket` is for whoever asks here to run. */
static int claim(worker* w, uint32_t ticket) {
  uint32_t before = ticket - 1;
  return __atomic_compare_exchange_n(&w->begun, &before, ticket, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void work(void* argument) {
  worker* self = argument;
  uint32_t seen = 0;
  hone_enter_float();
  for (;;) {
    while (__atomic_load_n(&self->ticket, __ATOMIC_ACQUIRE) == seen) {
      if (spin_while_equal(&self->ticket, seen)) break;
      /* The store before the load: whoever raises the ticket sees us asleep, or we see the ticket raised. */
      __atomic_store_n(&self->asleep, 1u, __ATOMIC_SEQ_CST);
      if (__atomic_load_n(&self->ticket, __ATOMIC_SEQ_CST) == seen) futex_wait(&self->ticket, seen);
      __atomic_store_n(&self->asleep, 0u, __ATOMIC_SEQ_CST);
    }
    ++seen;
    if (__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) return;
    if (!claim(self, seen)) continue;
    run_part(self->index + 1);
    if (__atomic_sub_fetch(&pool.remaining, 1u, __ATOMIC_SEQ_CST) == 0 &&
        __atomic_load_n(&pool.caller_asleep, __ATOMIC_SEQ_CST))
      futex_wake(&pool.remaining);
  }
}

static void raise_ticket(worker* w) {
  __atomic_add_fetch(&w->ticket, 1u, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&w->asleep, __ATOMIC_SEQ_CST)) futex_wake(&w->ticket);
}

/* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, PARENT_SETTID, CHILD_CLEARTID. The caller's TLS is
 * inherited, and never used. */
#define CLONE_FLAGS (0x100l | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x100000 | 0x200000)

static int start(worker* w, int32_t index) {
  /* PROT_READ | PROT_WRITE; MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE */
  const long mapping = hone_syscall(HONE_SYS_mmap, 0, STACK_BYTES, 3, 0x2 | 0x20 | 0x4000, -1, 0);
  if (mapping < 0 && mapping > -4096) return -1;
  hone_syscall(HONE_SYS_mprotect, mapping, GUARD_BYTES, 0, 0, 0, 0);
  w->mapping = (char*)mapping;
  w->ticket = 0;
  w->begun = 0;
  w->asleep = 0;
  w->stop = 0;
  w->index = index;
  w->tid = 1;
  /* The thread must never run a signal handler of the program: it has no library state of its own. */
  uint64_t all = ~0ull, before = 0;
  hone_syscall(HONE_SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&all, (long)&before, 8, 0, 0);
  const long tid = hone_clone(CLONE_FLAGS, w->mapping + STACK_BYTES, &w->tid, work, w);
  hone_syscall(HONE_SYS_rt_sigprocmask, 2, (long)&before, 0, 8, 0, 0);
  if (tid < 0) {
    hone_syscall(HONE_SYS_munmap, mapping, STACK_BYTES, 0, 0, 0, 0);
    return -1;
  }
  return 0;
}

static void stop_all(void) {
  const int alive = pool.pid == (int32_t)hone_syscall(HONE_SYS_getpid, 0, 0, 0, 0, 0, 0);
  for (int32_t i = 0; i < pool.count; ++i) {
    worker* w = &pool.workers[i];
    if (alive) {
      __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
      raise_ticket(w);
      for (int32_t tid; (tid = __atomic_load_n(&w->tid, __ATOMIC_ACQUIRE)) != 0;)
        hone_syscall(HONE_SYS_futex, (long)&w->tid, FUTEX_WAIT_SHARED, tid, 0, 0, 0);
    }
    hone_syscall(HONE_SYS_munmap, (long)w->mapping, STACK_BYTES, 0, 0, 0, 0);
  }
  pool.count = 0;
}

int32_t hone_pool_acquire(int32_t threads) {
  if (threads > HONE_MAX_THREADS) threads = HONE_MAX_THREADS;
  int32_t result = 0;
  lock();
  const int32_t pid = (int32_t)hone_syscall(HONE_SYS_getpid, 0, 0, 0, 0, 0, 0);
  if (pool.count != 0 && pool.pid != pid) stop_all(); /* forked: the threads stayed behind */
  pool.pid = pid;
  while (pool.count < threads - 1) {
    if (start(&pool.workers[pool.count], pool.count) != 0) {
      result = -1;
      break;
    }
    ++pool.count;
  }
  if (result == 0)
    ++pool.users;
  else if (pool.users == 0)
    stop_all();
  unlock();
  return result;
}

void hone_pool_release(void) {
  lock();
  if (--pool.users == 0) stop_all();
  unlock();
}

int32_t hone_pool_enter(void) {
  if (__atomic_exchange_n(&pool.busy, 1u, __ATOMIC_ACQUIRE) != 0) return 0;
  if (pool.pid == (int32_t)hone_syscall(HONE_SYS_getpid, 0, 0, 0, 0, 0, 0)) return 1;
  hone_pool_leave();
  return 0;
}

void hone_pool_leave(void) { __atomic_store_n(&pool.busy, 0u, __ATOMIC_RELEASE); }

/* Moves threads that wait to begin off this CPU, and lets them go where they like again from there. */
static void separate(int32_t workers) {
  const int64_t now = hone_now_ns();
  if (now - pool.separated_ns < SEPARATE_NS) return;
  pool.separated_ns = now;
  uint32_t cpu = 0;
  uint64_t mask[128];
  if (hone_syscall(HONE_SYS_getcpu, (long)&cpu, 0, 0, 0, 0, 0) != 0 || cpu / 64 >= 128) return;
  for (int32_t i = 0; i < workers; ++i) {
    const worker* w = &pool.workers[i];
    if (__atomic_load_n(&w->begun, __ATOMIC_RELAXED) == w->ticket) continue;
    const long bytes = hone_syscall(HONE_SYS_sched_getaffinity, w->tid, sizeof mask, (long)mask, 0, 0, 0);
    if (bytes <= (long)(cpu / 64 * 8)) continue;
    mask[cpu / 64] ^= 1ull << cpu % 64; /* ours is among them, or this one is not on our CPU */
    uint64_t others = 0;
    for (long k = 0; k < bytes / 8; ++k) others |= mask[k];
    if (others == 0 || (mask[cpu / 64] & 1ull << cpu % 64) != 0) continue;
    hone_syscall(HONE_SYS_sched_setaffinity, w->tid, bytes, (long)mask, 0, 0, 0);
    mask[cpu / 64] |= 1ull << cpu % 64;
    hone_syscall(HONE_SYS_sched_setaffinity, w->tid, bytes, (long)mask, 0, 0, 0);
  }
}

void hone_pool_run(hone_body* body, void* argument, int64_t extent, int32_t parts) {
  if (parts > pool.count + 1) parts = pool.count + 1;
  if (parts > extent) parts = (int32_t)extent;
  if (parts <= 1) {
    body(argument, 0, extent);
    return;
  }
  pool.body = body;
  pool.argument = argument;
  pool.extent = extent;
  pool.parts = parts;
  pool.caller_asleep = 0;
  __atomic_store_n(&pool.remaining, (uint32_t)(parts - 1), __ATOMIC_RELEASE);
  for (int32_t i = 0; i + 1 < parts; ++i) raise_ticket(&pool.workers[i]);
  run_part(0);
  uint32_t left = __atomic_load_n(&pool.remaining, __ATOMIC_ACQUIRE);
  if (left == 0) return;
  if (!spin_briefly(&pool.remaining, left)) {
    separate(parts - 1);
    for (int32_t i = 0; i + 1 < parts; ++i)
      if (claim(&pool.workers[i], pool.workers[i].ticket)) {
        run_part(i + 1);
        __atomic_sub_fetch(&pool.remaining, 1u, __ATOMIC_SEQ_CST);
      }
  }
  while ((left = __atomic_load_n(&pool.remaining, __ATOMIC_ACQUIRE)) != 0) {
    if (spin_while_equal(&pool.remaining, left)) continue;
    __atomic_store_n(&pool.caller_asleep, 1u, __ATOMIC_SEQ_CST);
    left = __atomic_load_n(&pool.remaining, __ATOMIC_SEQ_CST);
    if (left != 0) futex_wait(&pool.remaining, left);
  }
}
