/* Counts every call to the heap in a process: put into LD_PRELOAD by lazydiff/run/heap.py, linked into nothing.
 *
 * glibc exports its allocator a second time as __libc_*, which is what the counted calls go on to. Its own requests to
 * the kernel do not pass through the mmap here, but the malloc that made them does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *block);

static size_t calls; /* size_t: an atomic add of it needs no library on any machine */

static void count(void) { __atomic_fetch_add(&calls, 1u, __ATOMIC_RELAXED); }

uint64_t lzd_heap_calls(void);
PUBLIC uint64_t lzd_heap_calls(void) { return __atomic_load_n(&calls, __ATOMIC_RELAXED); }

void *malloc(size_t bytes);
PUBLIC void *malloc(size_t bytes)
{
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes);
PUBLIC void *calloc(size_t n, size_t bytes)
{
    count();
    return __libc_calloc(n, bytes);
}

void *realloc(void *block, size_t bytes);
PUBLIC void *realloc(void *block, size_t bytes)
{
    count();
    return __libc_realloc(block, bytes);
}

void free(void *block);
PUBLIC void free(void *block)
{
    count();
    __libc_free(block);
}

void *memalign(size_t alignment, size_t bytes);
PUBLIC void *memalign(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes);
PUBLIC void *aligned_alloc(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes);
PUBLIC int posix_memalign(void **block, size_t alignment, size_t bytes)
{
    count();
    if (alignment < sizeof(void *) || (alignment & (alignment - 1u)) != 0u) {
        return EINVAL;
    }
    void *made = __libc_memalign(alignment, bytes);
    if (made == NULL) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

/* Two names: which one a caller uses depends on how it was compiled. */
void *mmap64(void *address, size_t bytes, int protection, int flags, int file, off64_t offset);
PUBLIC void *mmap64(void *address, size_t bytes, int protection, int flags, int file, off64_t offset)
{
    count();
#ifdef SYS_mmap2
    return (void *)syscall(SYS_mmap2, address, bytes, protection, flags, file, (long)(offset / 4096));
#else
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
#endif
}

PUBLIC void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
    return mmap64(address, bytes, protection, flags, file, offset);
}
