// Threads that share the work of one computation after another, and wait for none of them that has
// lost its core to another program.
//
// A run is a row of phases, and a phase a number of pieces. The threads take pieces in order; when
// none is left they wait for those that others have taken, and do them again where that takes long.
// So a piece may be done twice, at any time: it writes what no other piece writes, from inputs that
// stay as they are, and whoever comes late writes the same again into memory that belongs to its
// run until it has left it.

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>
#include <immintrin.h>
#if defined(__linux__) || defined(__APPLE__)
#include <sched.h>
#include <unistd.h>
#endif

namespace team {

// What the threads compute; ``slot`` is the memory of one of the last runs.
struct Program {
    virtual ~Program() {}
    virtual int64_t phases() const = 0;
    virtual int64_t most_pieces(int64_t phase) const = 0;  // over all runs
    virtual int64_t pieces(int64_t slot, int64_t phase) const = 0;
    virtual void piece(int64_t slot, int64_t phase, int64_t piece, int64_t thread) const = 0;
};

inline uint64_t ticks() { return __builtin_ia32_rdtsc(); }

inline void yield() {
#if defined(__linux__) || defined(__APPLE__)
    sched_yield();
#else
    std::this_thread::yield();
#endif
}

inline int64_t process() {
#if defined(__linux__) || defined(__APPLE__)
    return getpid();
#else
    return 0;
#endif
}

class Team {
public:
    // ``slots``: at least two. With one more than threads, no run waits for memory: each helper may
    // still be in one slot, and the last run's stays as it is. ``restless``, for tests: the helpers
    // only do pieces again, a phase after another with each run, while the caller goes on.
    Team(const Program& program, int64_t threads, int64_t slots, bool restless = false)
        : program(program), slots(slots), restless(restless), phases(new Phase[program.phases()]),
          born(process()) {
        int64_t all = 0;
        for (int64_t p = 0; p < program.phases(); ++p) {
            phases[p].first = all;
            all += program.most_pieces(p);
        }
        done = std::vector<std::atomic<uint32_t>>(all);
        members = std::vector<Member>(threads);
        try {
            for (int64_t t = 1; t < threads; ++t) helpers.emplace_back([this, t] { help(t); });
        } catch (const std::system_error&) {
            // The system gives no more threads: those that there are, are enough.
        }
    }

    ~Team() {
        {
            std::lock_guard<std::mutex> held(lock);
            ends = true;
        }
        wake.notify_all();
        for (std::thread& helper : helpers) helper.join();
    }

    // Returns whether this is a forked process, which has none of the helpers: the caller computes
    // alone, and a team is not destroyed there, which would wait for them.
    bool is_forked() const { return process() != born; }

    // Returns a slot in which nobody works: that of the next run.
    int64_t free_slot() const {
        while (true) {
            for (int64_t slot = 0; slot < slots; ++slot)
                if (!is_used(slot)) return slot;
            yield();
        }
    }

    // Waits until no helper works at a run any more, so that what they read may be freed.
    void leave_runs() {
        if (is_forked()) return;
        // An empty run: nobody begins at an earlier one, and its phases count as over.
        const uint32_t run = ++number;
        current.store(word(run) | NO_SLOT);
        for (const Member& member : members)
            for (uint64_t job; (job = member.job.load()) && run_of(job) != run;) yield();
    }

    // Computes a run in the slot that ``free_slot`` returned.
    void compute(int64_t slot) {
        const uint32_t run = ++number;
        for (int64_t p = 0; p < program.phases(); ++p) {
            phases[p].taken.store(word(run), std::memory_order_relaxed);
            phases[p].finished.store(word(run), std::memory_order_relaxed);
        }
        const uint64_t job = word(run) | uint64_t(slot);
        current.store(job);
        if (sleeping.load() && !is_forked()) {
            std::lock_guard<std::mutex> held(lock);
            wake.notify_all();
        }
        work(job, 0);
    }

private:
    // Counters hold the number of their run in the upper half, so that whoever comes late from an
    // earlier run changes nothing.
    struct alignas(64) Phase {
        std::atomic<uint64_t> taken{0}, finished{0};
        int64_t first = 0;
    };
    struct alignas(64) Member {
        std::atomic<uint64_t> job{0};  // that a helper works at, 0: none
        uint64_t usual = 0;            // ticks of its last piece, less if it lost its core in it
    };

    static constexpr uint64_t NO_SLOT = 0xffffffff;

    static uint64_t word(uint32_t run) { return uint64_t(run) << 32; }

    static uint32_t run_of(uint64_t job) { return uint32_t(job >> 32); }

    static int64_t slot_of(uint64_t job) { return uint32_t(job); }

    // The last run's slot counts as used: a helper may be about to begin there.
    bool is_used(int64_t slot) const {
        if (number && slot_of(current.load()) == slot) return true;
        if (is_forked()) return false;
        for (const Member& member : members) {
            const uint64_t job = member.job.load();
            if (job && slot_of(job) == slot) return true;
        }
        return false;
    }

    // Adds one to a counter of a run; returns what it was, -1 if the run or the count is over.
    static int64_t next(std::atomic<uint64_t>& counter, uint32_t run, int64_t count) {
        uint64_t seen = counter.load(std::memory_order_acquire);
        while (run_of(seen) == run && int64_t(uint32_t(seen)) < count)
            if (counter.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel))
                return uint32_t(seen);
        return -1;
    }

    bool is_over(const Phase& phase, uint32_t run) const {
        return run_of(phase.taken.load(std::memory_order_acquire)) != run;
    }

    void do_piece(uint64_t job, int64_t p, int64_t i, int64_t count, int64_t thread) {
        const uint64_t start = ticks();
        const uint32_t run = run_of(job);
        program.piece(slot_of(job), p, i, thread);
        uint64_t& usual = members[thread].usual;
        usual = std::min(ticks() - start, 4 * usual + 20'000);
        std::atomic<uint32_t>& mark = done[phases[p].first + i];
        uint32_t seen = mark.load(std::memory_order_relaxed);
        while (int32_t(run - seen) > 0)
            if (mark.compare_exchange_weak(seen, run, std::memory_order_acq_rel)) {
                next(phases[p].finished, run, count);
                return;
            }
    }

    void work(uint64_t job, int64_t thread) {
        const uint32_t run = run_of(job);
        for (int64_t p = 0; p < program.phases(); ++p) {
            Phase& phase = phases[p];
            if (is_over(phase, run)) return;
            const int64_t count = program.pieces(slot_of(job), p);
            for (int64_t i; (i = next(phase.taken, run, count)) >= 0;)
                do_piece(job, p, i, count, thread);
            // Twice the time of a piece is enough for whoever has its core.
            const uint64_t patience = 2 * members[thread].usual + 2000, start = ticks();
            while (true) {
                const uint64_t seen = phase.finished.load(std::memory_order_acquire);
                if (run_of(seen) != run) return;
                if (int64_t(uint32_t(seen)) == count) break;
                if (ticks() - start > patience) {
                    for (int64_t i = 0; i < count; ++i)
                        if (done[phase.first + i].load(std::memory_order_acquire) != run)
                            do_piece(job, p, i, count, thread);
                    break;
                }
                _mm_pause();
            }
        }
    }

    // Does the pieces of one phase of a run again and again, once they were done, until the next.
    void repeat(uint64_t job, int64_t thread) {
        const uint32_t run = run_of(job);
        const int64_t p = run % program.phases();
        if (is_over(phases[p], run)) return;  // an empty run
        const int64_t count = program.pieces(slot_of(job), p);
        while (current.load() == job) {
            const uint64_t seen = phases[p].finished.load(std::memory_order_acquire);
            if (run_of(seen) != run || int64_t(uint32_t(seen)) < count) continue;
            for (int64_t i = 0; i < count; ++i) program.piece(slot_of(job), p, i, thread);
        }
    }

    // Waits for a job after ``last``; returns it, 0 when the team ends.
    uint64_t next_job(uint64_t last, bool& busy) {
        // While the core is free, watching it costs nobody anything and starts at once. Whoever
        // finds that others want it sleeps instead, so that they get it now and not later.
        constexpr uint64_t SHORT = 60'000, LONG = 6'000'000, LOST = 300'000;  // some 3 GHz
        const uint64_t start = ticks(), limit = busy ? SHORT : LONG;
        for (uint64_t before = start; before - start < limit;) {
            if (ends.load()) return 0;
            if (current.load() != last) return current.load();
            _mm_pause();
            if (before - start > SHORT) yield();
            const uint64_t now = ticks();
            busy = busy || now - before > LOST;
            if (busy && now - start > SHORT) break;
            before = now;
        }
        std::unique_lock<std::mutex> held(lock);
        ++sleeping;
        wake.wait(held, [&] { return ends.load() || current.load() != last; });
        --sleeping;
        return ends.load() ? 0 : current.load();
    }

    void help(int64_t thread) {
        constexpr int QUIET_RUNS = 64;  // after which a busy core is looked at again
        uint64_t last = 0;
        bool busy = false;
        int runs = 0;
        while (const uint64_t job = next_job(last, busy)) {
            if (busy && ++runs % QUIET_RUNS == 0) busy = false;
            members[thread].job.store(job);
            // Its slot is not written again from here on, if the job is still the last one.
            if (current.load() == job) restless ? repeat(job, thread) : work(job, thread);
            members[thread].job.store(0);
            last = job;
        }
    }

    const Program& program;
    const int64_t slots;
    const bool restless;
    std::unique_ptr<Phase[]> phases;
    const int64_t born;
    std::vector<std::atomic<uint32_t>> done;  // by piece, the last run that did it
    std::vector<Member> members;
    std::vector<std::thread> helpers;
    std::atomic<uint64_t> current{0};  // run << 32 | slot
    std::atomic<int> sleeping{0};
    std::atomic<bool> ends{false};
    std::mutex lock;
    std::condition_variable wake;
    uint32_t number = 0;
};

}  // namespace team
